"""``model`` shows what a checkpoint is."""

import pytest

from deepfake_ssat.commands.model import run
from deepfake_ssat.errors import CheckpointError
from deepfake_ssat.inference import default_weights
from deepfake_ssat.models.checkpoint import Decision, file_hash, load_checkpoint, save_checkpoint
from tests.inference.scripted import CONTRACT, write_checkpoint


def test_model_shows_hash_decision_contract_and_provenance(tmp_path, capsys):
    decision = Decision(threshold=0.43, uncertain_low=0.41, uncertain_high=0.55)
    path = write_checkpoint(tmp_path / "m.safetensors", decision=decision, provenance={"command": "train é"})
    assert run(path) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    for expected in (
        f"sha256 {file_hash(path)}",
        "self-test passed",
        "threshold 0.43",
        "uncertain_high 0.55",
        f"hash {CONTRACT.hash()}",
        "crop_size 32",
        "patch 8",
        "command train é",
    ):
        assert expected in lines


def test_model_of_images_has_no_contract(tmp_path, capsys):
    assert run(write_checkpoint(tmp_path / "m.safetensors", contract=None)) == 0
    assert "none: trained on images" in capsys.readouterr().out


def test_model_tells_whether_the_decoder_is_there(tmp_path, capsys):
    path = write_checkpoint(tmp_path / "m.safetensors")
    run(path)
    assert "million, decoder included" in capsys.readouterr().out
    save_checkpoint(path, load_checkpoint(path, decoder=False))
    run(path)
    assert " million\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("provenance", "words"),
    [
        (
            {"config": {"data": {"kind": "face_clips", "pseudo_fakes": {}}}},
            "pseudo-fakes of its genuine videos",
        ),
        (
            {"config": {"data": {"sources": {"a": {}, "b": {"pseudo_fakes": {}}}}}},
            "pseudo-fakes of its genuine videos",
        ),
        ({"config": {"data": {"kind": "face_clips"}}}, "the validation part of the training data"),
        ({}, "the file does not say"),
    ],
)
def test_metrics_say_what_they_were_measured_on(tmp_path, capsys, provenance, words):
    path = write_checkpoint(
        tmp_path / "m.safetensors", provenance=provenance, metrics={"val_video_auc": 0.91}
    )
    run(path)
    printed = capsys.readouterr().out
    assert words in printed[printed.index("measured on") : printed.index("val_video_auc")]


def test_other_files_are_refused(tmp_path, monkeypatch):
    other = tmp_path / "x.pth"
    other.write_bytes(b"other")
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        run(other)
    monkeypatch.setattr(default_weights, "DEFAULT_WEIGHTS", tmp_path / "none")
    with pytest.raises(CheckpointError, match="without default weights"):
        run()
