"""detect from Python: a file, several files, or frames; the same verdict whichever way they come."""

from contextlib import contextmanager

import numpy as np
import pytest

from deepfake_ssat import detect, load_detector
from deepfake_ssat.errors import ConfigError, MissingFileError
from deepfake_ssat.faces import extract
from deepfake_ssat.records import Status
from tests.inference.scripted import ScriptedExtractor, face_clip, write_checkpoint
from tests.portraits import portrait_frames
from tests.videos import write_video


@pytest.fixture
def checkpoint(tmp_path):
    return write_checkpoint(tmp_path / "tiny.safetensors")


@pytest.fixture
def scripted(monkeypatch):
    extractor = ScriptedExtractor([face_clip(0, 0), face_clip(0, 4)])
    monkeypatch.setattr(extract, "FaceExtractor", extractor)
    return extractor


def test_several_files_give_a_list_and_tell_of_their_progress(checkpoint, scripted, tmp_path, capfd):
    video = write_video(tmp_path / "video.mp4", [np.zeros((64, 64, 3), np.uint8)] * 8)
    told = []

    class Progress:
        def __init__(self, doing, unit, total):
            told.append((doing, unit, total))

        def __enter__(self):
            return lambda count=1, note="": told.append(count)

        def __exit__(self, *_):
            told.append("end")

    (tmp_path / "text.mp4").write_text("no video")
    files = (path for path in [str(video), video, tmp_path / "text.mp4"])
    verdicts = detect(files, checkpoint=checkpoint, device="cpu", progress=Progress)
    assert [verdict.status for verdict in verdicts] == [Status.SCORED, Status.SCORED, Status.UNREADABLE]
    assert verdicts[0] == detect(video, checkpoint=checkpoint, device="cpu")
    assert told == [("judging", "video", 3), 1, 1, 1, "end"]
    assert capfd.readouterr() == ("", "")


def test_missing_file_is_told_before_the_first_is_judged(checkpoint, scripted, tmp_path):
    video = write_video(tmp_path / "video.mp4", [np.zeros((64, 64, 3), np.uint8)] * 8)
    seen = []
    with pytest.raises(MissingFileError, match=r"absent\.mp4 does not exist"):
        load_detector(checkpoint, "cpu").detect(
            [video, tmp_path / "absent.mp4"], on_clip=lambda *clip: seen.append(clip)
        )
    assert not seen


def test_no_file_gives_no_verdict(checkpoint):
    assert detect([], checkpoint=checkpoint, device="cpu") == []


@pytest.mark.slow
def test_frames_are_judged_as_the_video_that_they_make(checkpoint):
    frames = np.stack(portrait_frames(12))
    detector = load_detector(checkpoint, "cpu")
    verdicts = [
        detector.detect(frames, fps=25),
        detector.detect(list(frames), seconds=[number / 25 for number in range(12)]),
        detector.detect(iter(frames), clips=None, fps=25),
    ]
    assert [verdict.status for verdict in verdicts] == [Status.SCORED] * 3
    assert len({(verdict.path, verdict.probability, verdict.clips) for verdict in verdicts}) == 1
    assert verdicts[0].path == "frames"
    assert verdicts[0].clips[-1].end_seconds == pytest.approx(11 / 25)
    assert verdicts[0].metadata is not None
    assert verdicts[0].metadata.num_frames == 12


def test_no_frame_is_a_result_and_frames_without_times_a_mistake(checkpoint):
    detector = load_detector(checkpoint, "cpu")
    empty = np.zeros((0, 8, 8, 3), np.uint8)
    assert detector.detect(empty, fps=25).status is Status.UNREADABLE
    for frames in (empty, [np.zeros((8, 8, 3), np.uint8)]):
        with pytest.raises(ConfigError, match="frames, which need their times; give fps=25"):
            detector.detect(frames)


def test_progress_of_one_video_counts_its_frames(tmp_path, checkpoint):
    told = []

    @contextmanager
    def progress(doing, unit, total):
        yield lambda count=1, note="": told.append((unit, total, count))

    video = write_video(tmp_path / "a.mp4", [np.zeros((32, 32, 3), np.uint8)] * 30)
    load_detector(checkpoint, "cpu").detect(video, progress=progress)
    assert told == [("frame", 30, 25), ("frame", 30, 5)]
