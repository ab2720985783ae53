"""The demonstration: its videos are what they claim, and it runs the verbs as a user would."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from deepfake_ssat.video import open_video
from tools import demo
from tools.make_demo_videos import FPS, SIDE, face_video, make_demo_videos, write_video


@pytest.fixture(scope="module")
def frames():
    """The first frames of a genuine video (False) and of its manipulated copy (True)."""
    return {fake: list(face_video(5, manipulated=fake, num_frames=2)) for fake in (False, True)}


def test_videos_are_the_same_every_time(frames):
    for manipulated, first in frames.items():
        np.testing.assert_array_equal(first, list(face_video(5, manipulated=manipulated, num_frames=2)))
    assert not np.array_equal(frames[True][0], next(face_video(6, manipulated=True)))


@pytest.mark.slow
def test_files_are_the_same_every_time(tmp_path):
    pictures = list(face_video(5, manipulated=True, num_frames=30))
    files = [tmp_path / f"{number}.mp4" for number in range(3)]
    for file in files:
        write_video(file, iter(pictures))
    assert len({file.read_bytes() for file in files}) == 1


def test_manipulation_changes_the_face_and_softens_it(frames):
    # A seed's movement, light and noise level are drawn before the first manipulation: both videos show them.
    genuine, fake = frames[False][0], frames[True][0]
    difference = np.abs(genuine.astype(float) - fake).mean(axis=2)
    center, corner = difference[SIDE // 3 : -SIDE // 3, SIDE // 3 : -SIDE // 3], difference[-60:, :60]
    assert center.mean() > 1.5 * corner.mean()


@pytest.mark.slow
def test_videos_are_two_and_as_long_as_they_claim(tmp_path):
    make_demo_videos(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"genuine.mp4", "manipulated.mp4"}
    with open_video(tmp_path / "genuine.mp4") as video:
        assert (video.metadata.width, video.metadata.height, video.metadata.fps) == (SIDE, SIDE, FPS)
        assert sum(1 for _ in video) == 2 * FPS


@pytest.fixture
def commands(monkeypatch):
    """The commands that would have run; ``commands.code`` is what they return. The videos are empty files."""

    def make(folder):
        folder.mkdir()
        for name in ("genuine.mp4", "manipulated.mp4"):
            (folder / name).touch()

    class Commands(list):
        code = 0

        def run(self, command, check):
            self.append(command)
            return subprocess.CompletedProcess(command, self.code)

    recorded = Commands()
    monkeypatch.setattr(demo.subprocess, "run", recorded.run)
    monkeypatch.setattr(demo, "make_demo_videos", make)
    return recorded


def test_demo_judges_both_videos_and_prints_the_command(tmp_path, commands, capsys):
    folder = tmp_path / "demo run"
    demo.run_demo(folder)
    ((_, _, _, verb, videos, *_),) = commands
    assert (verb, Path(videos)) == ("detect", folder / "videos")
    assert {path.name for path in Path(videos).iterdir()} == {"genuine.mp4", "manipulated.mp4"}
    printed = capsys.readouterr().out
    assert f"$ deepfake-ssat detect '{folder}/videos'" in printed
    assert "docs/model_card.md" in printed


def test_demo_can_run_again_but_deletes_nothing_of_others(tmp_path, commands):
    folder = tmp_path / "demo_run"
    demo.run_demo(folder)
    (folder / "old").touch()
    demo.run_demo(folder)
    assert not (folder / "old").exists()
    own = tmp_path / "own"
    own.mkdir()
    (own / "thesis.tex").touch()
    with pytest.raises(SystemExit, match="no demonstration made"):
        demo.run_demo(own)
    assert (own / "thesis.tex").exists()


def test_demo_ends_with_the_exit_code_of_a_failed_step(tmp_path, commands):
    commands.code = 3
    with pytest.raises(SystemExit) as end:
        demo.run_demo(tmp_path / "demo_run")
    assert end.value.code == 3
    assert len(commands) == 1
