"""The error on single pictures: measured once, kept in the checkpoint, told by detect."""

import json
import sys

import measure_stills
import numpy as np
import pytest
from PIL import Image

from deepfake_ssat.inference.detector import load_detector
from deepfake_ssat.records import Status, Verdict, VideoVerdict
from tests.inference.scripted import write_checkpoint
from tests.portraits import portrait_frames
from tests.videos import write_video


def scored(probability, verdict):
    return VideoVerdict("a.png", Status.SCORED, probability, verdict)


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
