"""The child process that runs what is untrusted: it ends with whoever asked for it."""

import os

import pytest

from deepfake_ssat.serving.sandbox import ChildLimits, run_child


def test_child_does_not_outlive_an_error_of_its_keeper(tmp_path):
    children = []

    def fail():
        children.append(tmp_path / "progress")
        if (tmp_path / "progress").exists():
            raise LookupError

    with pytest.raises(LookupError):
        run_child(
            "tests.serving.fake_analysis",
            [str(tmp_path), "a.mp4", "60"],
            ChildLimits(60, 10**9),
            tmp_path,
            on_poll=fail,
        )
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
