"""The error on single pictures: measured once, kept in the checkpoint, told by detect."""

import json
import sys
from dataclasses import replace

import measure_stills
import numpy as np
import pytest
from PIL import Image

from deepfake_ssat.clips.resize import resize_clip
from deepfake_ssat.clips.storage import read_frames
from deepfake_ssat.inference.detector import load_detector
from deepfake_ssat.records import FAKE, REAL, Status, Verdict, VideoVerdict
from tests.inference.scripted import write_checkpoint
from tests.manifests import TinyVideo, make_manifest, tiny_videos
from tests.models.tiny import VIDEO
from tests.portraits import portrait_frames
from tests.videos import write_video


def scored(probability, verdict):
    return VideoVerdict("a.png", Status.SCORED, probability, verdict)


@pytest.mark.slow
def test_crops_are_judged_as_they_are_one_of_each_genuine_video(tmp_path):
    videos = [*tiny_videos(3), TinyVideo("Deepfakes/c23/further", FAKE, "val", "Deepfakes")]
    manifest = make_manifest(tmp_path / "crops", videos, frames=16)
    aligned = [replace(row, is_aligned=row.label == FAKE) for row in manifest.rows]
    detector = load_detector(write_checkpoint(tmp_path / "tiny.safetensors"), "cpu")
    genuine, manipulated = measure_stills.judged_crops(detector, replace(manifest, rows=tuple(aligned)))
    assert (len(genuine), len(manipulated)) == (3, 3)
    assert {verdict.path for verdict in genuine} == {
        row.source for row in manifest.rows if (row.split, row.label) == ("val", REAL)
    }
    pixels = read_frames(manifest.root / manifest.rows[0].clip_file, range(1))
    as_is = detector.score(np.repeat(resize_clip(pixels, VIDEO.image_size)[None], VIDEO.frames, axis=1))
    mirrored = detector.score_pictures(pixels[:, :, ::-1])
    # A picture and its mirror image are the same two views.
    assert detector.score_pictures(pixels) == pytest.approx(mirrored, abs=1e-6)
    assert detector.score_pictures(pixels) != pytest.approx(as_is, abs=1e-6)


def test_figures_count_wrong_claims_only():
    genuine = [scored(0.1, Verdict.REAL), *[scored(0.5, Verdict.UNCERTAIN)] * 3, scored(0.9, Verdict.FAKE)]
    manipulated = [scored(0.2, Verdict.REAL), *[scored(0.8, Verdict.FAKE)] * 4]
    found = measure_stills.figures(genuine, manipulated)
    # Of 25 pairs: 0.2 is above one genuine score, each 0.8 above four.
    assert found["auc"] == pytest.approx((1 + 4 * 4) / 25)
    assert found["low"] <= found["auc"] <= found["high"]
    assert (found["genuine"], found["genuine_called_fake"]) == (5, 1)
    assert (found["manipulated"], found["manipulated_called_real"]) == (5, 1)


@pytest.mark.slow
def test_numbers_of_pictures_and_videos_are_stored_and_told(tmp_path, monkeypatch, capsys):
    pictures = portrait_frames(5, (120, 160), face_side=60)
    for name in ("genuine", "manipulated"):
        (tmp_path / name).mkdir()
        for number, pixels in enumerate(pictures):
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    write_video(tmp_path / "genuine" / "video.mp4", pictures)
    Image.fromarray(np.full((120, 160, 3), 90, np.uint8)).save(tmp_path / "genuine" / "nobody.png")
    checkpoint, stored = write_checkpoint(tmp_path / "tiny.safetensors"), tmp_path / "stored.safetensors"
    words = [checkpoint, "--genuine", tmp_path / "genuine", "--manipulated", tmp_path / "manipulated"]
    words += ["--measured-on", "test pictures", "--store", stored]
    monkeypatch.setattr(sys, "argv", ["measure", *map(str, words)])
    measure_stills.main()
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (printed["genuine"], printed["manipulated"]) == (6, 5)
    (warning, *_) = load_detector(stored, "cpu").detect(tmp_path / "genuine" / "0.png").warnings
    assert "On test pictures," in warning
