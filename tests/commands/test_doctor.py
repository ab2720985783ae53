import av
import pytest
from typer.testing import CliRunner

from deepfake_ssat.cli import app
from deepfake_ssat.commands import doctor
from deepfake_ssat.errors import CheckpointError
from deepfake_ssat.inference import detector


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def lines_of(result):
    return {line[3:17].strip(): line for line in result.stdout.splitlines()}


def test_healthy_installation_passes_with_device_codecs_and_weights():
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0
    lines = lines_of(result)
    assert "self-test passed" in lines["weights"]
    assert "h264" in lines["video codecs"]
    assert "detect uses" in lines["torch"]
    assert lines["[train]"].startswith("ok")


def test_extra_that_is_absent_is_named_with_its_remedy_and_is_no_fault(monkeypatch):
    monkeypatch.setitem(doctor.EXTRAS, "train", ("training", ("no-such-package",)))
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0
    assert "pip install deepfake-ssat[train] brings no-such-package" in lines_of(result)["[train]"]


def test_missing_codec_and_refused_weights_are_faults(monkeypatch):
    def refuse():
        raise CheckpointError("no default weights")

    monkeypatch.setattr(detector, "default_weights", refuse)
    monkeypatch.setattr(av, "codecs_available", {"h264"})
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    lines = lines_of(result)
    assert lines["weights"].startswith("no")
    assert "cannot decode hevc" in lines["video codecs"]
    assert "install deepfake-ssat anew" in result.stdout
