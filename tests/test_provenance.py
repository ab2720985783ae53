import sys

import pytest

from deepfake_ssat.provenance import typed_command


@pytest.mark.parametrize(
    ("typed", "recorded"),
    [
        (["/usr/bin/deepfake-ssat", "detect", "my video.mp4"], "deepfake-ssat detect 'my video.mp4'"),
        (
            ["/src/deepfake_ssat/__main__.py", "evaluate", "a.safetensors"],
            "deepfake-ssat evaluate a.safetensors",
        ),
        (["tools/train_default_weights.py"], "train_default_weights.py"),
    ],
)
def test_command_is_recorded_as_it_can_be_typed_again(monkeypatch, typed, recorded):
    monkeypatch.setattr(sys, "argv", typed)
    assert typed_command() == recorded
