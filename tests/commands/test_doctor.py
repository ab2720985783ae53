import av
import pytest
from typer.testing import CliRunner

from deepfake_ssat.cli import app
from deepfake_ssat.commands import doctor
from deepfake_ssat.errors import CheckpointError
from deepfake_ssat.inference import default_weights


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def lines_of(result):
    return {line[3:17].strip(): line for line in result.stdout.splitlines()}


@pytest.mark.slow
def test_healthy_installation_passes_with_device_codecs_and_weights():
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0
    lines = lines_of(result)
    assert "self-test passed" in lines["weights"]
    assert "h264" in lines["video codecs"]
    assert "detect uses" in lines["torch"]
    assert lines["[train]"].startswith("ok")


@pytest.mark.slow
def test_every_extra_that_the_installed_package_names_is_listed_with_its_remedy(monkeypatch):
    required = [
        "av>=16",
        "decord<1,>=0.6; platform_machine == 'x86_64'",
        "no-such-package>=1; extra == 'train'",
        "pillow-heif>=0.16; python_version >= '3.10' and extra == \"heic\"",
        "typer; extra == 'new-one'",
        "rich>=13; extra == 'new-one'",
        "deepfake-ssat[train]; extra == 'dev'",
    ]
    monkeypatch.setattr(doctor, "requires", lambda _: required)
    monkeypatch.setattr(doctor, "_version", lambda name: None if name[0] in "np" else "1.0")
    found = {finding.name: finding for finding in doctor._findings() if finding.name.startswith("[")}
    assert list(found) == ["[train]", "[heic]", "[new-one]"]
    assert found["[train]"].state == "absent"
    assert "pip install 'deepfake-ssat[train]' brings no-such-package" in found["[train]"].detail
    assert found["[heic]"].detail.startswith("for pictures of iPhones: pip install")
    assert (found["[new-one]"].state, found["[new-one]"].detail) == ("ok", "typer 1.0, rich 1.0")


@pytest.mark.slow
def test_absent_extra_is_no_fault(monkeypatch):
    monkeypatch.setattr(doctor, "requires", lambda _: ["no-such-package; extra == 'train'"])
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 0


def test_missing_codec_and_refused_weights_are_faults(monkeypatch):
    def refuse():
        raise CheckpointError("no default weights")

    monkeypatch.setattr(default_weights, "default_weights", refuse)
    monkeypatch.setattr(av, "codecs_available", {"h264"})
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    lines = lines_of(result)
    assert lines["weights"].startswith("no")
    assert "cannot decode hevc" in lines["video codecs"]
    assert "install deepfake-ssat anew" in result.stdout
