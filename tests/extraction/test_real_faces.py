"""preprocess with the real face networks: a face gives clips, a grey picture a line in the ledger."""

import numpy as np
from PIL import Image

from deepfake_ssat.clips.landmarks import read_landmarks
from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.manifest import load_manifest
from tests.commands.preprocess_runs import run_folder
from tests.portraits import portrait_frames
from tests.videos import write_video


def test_astronaut_is_found_by_the_real_networks(tmp_path):
    frames = portrait_frames(20, size=(160, 200))
    (tmp_path / "corpus/real").mkdir(parents=True)
    write_video(tmp_path / "corpus/real/a.mp4", frames)
    write_video(tmp_path / "corpus/real/grey.mp4", [np.full((96, 96, 3), 128, np.uint8)] * 20)
    settings = ExtractionSettings(crop_size=64)
    assert run_folder(tmp_path / "corpus", tmp_path / "out", settings=settings) == 0
    manifest = load_manifest(tmp_path / "out")
    (row,) = manifest.rows
    assert (row.video_id, row.num_frames) == ("real/a", 16)
    assert [(video.video_id, video.reason.value) for video in manifest.dropped] == [("real/grey", "no_face")]
    left_eye, right_eye, nose, left_mouth, right_mouth = read_landmarks(
        manifest.root / row.clip_file, range(16)
    ).transpose(1, 0, 2)
    assert (left_eye[:, 0] < nose[:, 0]).all()
    assert (nose[:, 0] < right_eye[:, 0]).all()
    assert (left_mouth[:, 1] > left_eye[:, 1] + 10).all()
    assert ((right_mouth > 0) & (right_mouth < 64)).all()


def test_still_picture_becomes_a_clip_of_one_frame(tmp_path):
    (tmp_path / "corpus/real").mkdir(parents=True)
    Image.fromarray(portrait_frames(1, size=(160, 200))[0]).save(tmp_path / "corpus/real/a.png")
    Image.new("RGB", (96, 96), (128, 128, 128)).save(tmp_path / "corpus/real/grey.jpg")
    (tmp_path / "corpus/real/text.jpg").write_text("no picture")
    settings = ExtractionSettings(crop_size=64)
    assert run_folder(tmp_path / "corpus", tmp_path / "out", settings=settings) == 0
    manifest = load_manifest(tmp_path / "out")
    (row,) = manifest.rows
    assert (row.video_id, row.num_frames, row.contract_hash) == ("real/a", 1, settings.hash())
    assert read_landmarks(manifest.root / row.clip_file).shape == (1, 5, 2)
    assert {video.video_id: video.reason.value for video in manifest.dropped} == {
        "real/grey": "no_face",
        "real/text": "unreadable",
    }


def test_frames_of_a_video_become_the_clips_of_the_video(tmp_path):
    folder = tmp_path / "corpus/real/frames/a"
    folder.mkdir(parents=True)
    for number, picture in enumerate(portrait_frames(40, size=(160, 200))):
        if number != 20:
            Image.fromarray(picture).save(folder / f"{number:04}.png")
    settings = ExtractionSettings(crop_size=64)
    assert run_folder(tmp_path / "corpus", tmp_path / "out", settings=settings) == 0
    rows = load_manifest(tmp_path / "out").rows
    assert [(row.video_id, row.first_frame, row.num_frames) for row in rows] == [
        ("real/frames/a", 0, 16),
        ("real/frames/a", 21, 16),
    ]
    assert {row.track_id for row in rows} == {0}
