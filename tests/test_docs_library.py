"""docs/library.md: its examples that need no camera and no data set run as they stand."""

import csv

import numpy as np
import pytest

import deepfake_ssat
from deepfake_ssat.records import Status
from tests.inference.scripted import write_checkpoint
from tests.pages import run_page
from tests.portraits import portrait_frames
from tests.videos import write_video


@pytest.fixture
def names(tmp_path, monkeypatch):
    """What the page imported before; the detector is a tiny one."""
    monkeypatch.chdir(tmp_path)
    write_checkpoint(tmp_path / "tiny.safetensors")
    detector = deepfake_ssat.load_detector("tiny.safetensors")
    return {"np": np, "load_detector": lambda: detector}


def test_frames_of_opencv_are_judged_as_the_file_is(names, tmp_path):
    write_video(tmp_path / "video.mp4", portrait_frames(12))
    left = run_page("library.md", "Frames from OpenCV", **names)
    of_file = names["load_detector"]().detect("video.mp4", clips=None)
    assert left["verdict"].status is of_file.status is Status.SCORED
    assert left["verdict"].probability == pytest.approx(of_file.probability, abs=0.05)


def test_table_of_paths_gets_verdicts_and_no_score_where_there_is_none(names, tmp_path):
    pytest.importorskip("pandas", reason="the example is of pandas, which nothing here needs")
    write_video(tmp_path / "a.mp4", portrait_frames(12))
    write_video(tmp_path / "b.mp4", [np.zeros((64, 64, 3), np.uint8)] * 12)
    run_page("library.md", "A table of paths", **names)
    with (tmp_path / "verdicts.csv").open() as file:
        scored, empty = csv.DictReader(file)
    assert (scored["status"], empty["status"]) == ("scored", "no_face")
    assert 0 < float(scored["probability"]) < 1
    assert empty["probability"] == ""
