"""The child process that runs what is untrusted: it ends with whoever asked for it."""

import signal
import subprocess
import tracemalloc

import pytest

from deepfake_ssat.serving.sandbox import ChildLimits, run_child


def test_child_does_not_outlive_an_error_of_its_keeper(tmp_path, monkeypatch):
    children = []

    class Recorded(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            children.append(self)

    def fail():
        if (tmp_path / "progress").exists():
            raise LookupError

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    with pytest.raises(LookupError):
        run_child(
            "tests.serving.fake_analysis",
            [str(tmp_path), "a.mp4", "60"],
            ChildLimits(60, 10**9),
            tmp_path,
            on_poll=fail,
        )
    assert [child.returncode for child in children] == [-signal.SIGKILL]


def test_child_that_says_much_takes_no_memory_of_its_keeper(tmp_path):
    tracemalloc.start()
    try:
        outcome = run_child(
            "tests.serving.fake_analysis", [str(tmp_path), "talk.mp4"], ChildLimits(60, 10**9), tmp_path
        )
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert outcome.failure == "about nothing"
