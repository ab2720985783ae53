"""preprocess with the real face networks: a face gives clips, a grey picture a line in the ledger."""

import numpy as np
import pytest
from PIL import Image

from deepfake_ssat.clips.landmarks import read_landmarks
from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.manifest import load_manifest
from tests.commands.preprocess_runs import run_folder
from tests.portraits import portrait_frames
from tests.videos import write_video

SETTINGS = ExtractionSettings(crop_size=64)
SIZE = (160, 200)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Of a face as a video, as a picture and as a folder of frames that lacks one, beside what has none."""
    folder = tmp_path_factory.mktemp("real_faces")
    real = folder / "corpus/real"
    (real / "frames/b").mkdir(parents=True)
    pictures = portrait_frames(40, size=SIZE)
    write_video(real / "a.mp4", pictures[:20])
    write_video(real / "grey.mp4", [np.full((96, 96, 3), 128, np.uint8)] * 20)
    Image.fromarray(pictures[0]).save(real / "still.png")
    Image.new("RGB", (96, 96), (128, 128, 128)).save(real / "grey_still.jpg")
    (real / "text.jpg").write_text("no picture")
    for number, picture in enumerate(pictures):
        if number != 20:
            Image.fromarray(picture).save(real / f"frames/b/{number:04}.png")
    assert run_folder(folder / "corpus", folder / "out", settings=SETTINGS) == 0
    return load_manifest(folder / "out")


def rows_of(manifest, video_id):
    return [row for row in manifest.rows if row.video_id == video_id]


@pytest.mark.slow
def test_astronaut_is_found_by_the_real_networks(manifest):
    (row,) = rows_of(manifest, "real/a")
    assert row.num_frames == 16
    left_eye, right_eye, nose, left_mouth, right_mouth = read_landmarks(
        manifest.root / row.clip_file, range(16)
    ).transpose(1, 0, 2)
    assert (left_eye[:, 0] < nose[:, 0]).all()
    assert (nose[:, 0] < right_eye[:, 0]).all()
    assert (left_mouth[:, 1] > left_eye[:, 1] + 10).all()
    assert ((right_mouth > 0) & (right_mouth < 64)).all()


@pytest.mark.slow
def test_still_picture_becomes_a_clip_of_one_frame(manifest):
    (row,) = rows_of(manifest, "real/still")
    assert (row.num_frames, row.contract_hash) == (1, SETTINGS.hash())
    assert read_landmarks(manifest.root / row.clip_file).shape == (1, 5, 2)


def test_frames_of_a_video_become_the_clips_of_the_video(manifest):
    rows = rows_of(manifest, "real/frames/b")
    assert [(row.first_frame, row.num_frames, row.track_id) for row in rows] == [(0, 16, 0), (21, 16, 0)]


def test_what_shows_no_face_has_its_reason(manifest):
    assert {row.video_id for row in manifest.rows} == {"real/a", "real/still", "real/frames/b"}
    assert {video.video_id: video.reason.value for video in manifest.dropped} == {
        "real/grey": "no_face",
        "real/grey_still": "no_face",
        "real/text": "unreadable",
    }
