"""docs/explain.md: its blocks run as they stand, on a tiny detector and a real face."""

import matplotlib
import numpy as np
import pytest

from deepfake_ssat.records import Status
from tests.inference.scripted import write_checkpoint
from tests.models.tiny import VIDEO
from tests.pages import run_page
from tests.portraits import portrait_frames
from tests.videos import write_video


@pytest.mark.slow
def test_page_about_explaining_runs_and_draws(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    matplotlib.use("agg")
    write_checkpoint(tmp_path / "best.safetensors")
    write_video(tmp_path / "video.mp4", portrait_frames(12))
    names = run_page("explain.md")
    assert names["verdict"].status is Status.SCORED
    probabilities = [clip.score.probability for clip in names["explanation"].clips]
    assert probabilities == sorted(probabilities, reverse=True)
    assert names["verdict"] == names["detector"].detect("video.mp4", clips=4)
    for picture in ("scores.png", "maps.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")
    with np.load(tmp_path / "suspect.npz") as stored:
        assert stored["pixels"].shape == (VIDEO.frames, VIDEO.image_size, VIDEO.image_size, 3)
        assert stored["evidence"].shape == stored["reconstruction_error"].shape == VIDEO.grid
