"""``serve`` begins with its folder and its port to itself, and touches nothing before."""

import importlib.util
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from deepfake_ssat.commands.serve import run
from deepfake_ssat.config.service import ServiceLimits
from deepfake_ssat.errors import CheckpointError, ConfigError, OutputError
from deepfake_ssat.serving import describe
from deepfake_ssat.serving.storage import JobFolders


@pytest.fixture
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def serve(folder, port, checkpoint=None):
    return run(checkpoint, "127.0.0.1", port, folder, "all", "cpu", False, ServiceLimits())


@pytest.fixture
def upload(tmp_path):
    """What a running service is just receiving, and a service that starts takes for a leftover."""
    upload = tmp_path / "jobs" / "0123"
    upload.mkdir(parents=True)
    return upload


def test_second_service_on_a_folder_is_refused_and_touches_nothing(tmp_path, free_port, upload, capsys):
    with (
        JobFolders(tmp_path).locked(),
        pytest.raises(ConfigError, match="another service works in this folder; stop it, or give another"),
    ):
        serve(tmp_path, free_port)
    assert upload.exists()
    assert not (tmp_path / "jobs.sqlite").exists()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("package", ["fastapi", "python_multipart", "uvicorn"])
def test_package_that_the_page_needs_is_named_with_its_extra(tmp_path, free_port, monkeypatch, package):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else found(name))
    with pytest.raises(ConfigError, match=rf"serve needs {package}: pip install 'deepfake-ssat\[serve\]'"):
        serve(tmp_path, free_port)


def test_taken_port_is_refused_and_nothing_is_touched(tmp_path, upload, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"port {port} cannot be listened at \(.* in use\)"):
            serve(tmp_path, port)
    assert upload.exists()
    assert capsys.readouterr().out == ""


def test_checkpoint_that_cannot_judge_ends_the_service(tmp_path, free_port, monkeypatch):
    with pytest.raises(CheckpointError, match="no such file"):
        serve(tmp_path / "jobs", free_port, tmp_path / "none.safetensors")

    def refuse(*_):
        raise CheckpointError("its self-test fails")

    monkeypatch.setattr(describe, "describe", refuse)
    with pytest.raises(CheckpointError, match="its self-test fails"):
        serve(tmp_path / "jobs", free_port)


def test_folder_that_cannot_be_made_is_one_line(tmp_path, free_port):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be made"):
        serve(tmp_path / "file", free_port)


@pytest.mark.slow
def test_service_itself_needs_neither_torch_nor_a_decoder():
    code = (
        "import sys; import deepfake_ssat.commands.serve, deepfake_ssat.serving.app; "
        "import deepfake_ssat.serving.describe; "
        "print(sorted({'torch', 'av', 'cv2', 'numpy', 'jinja2', 'matplotlib'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_description_is_made_by_a_child(tmp_path):
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        describe.describe(tmp_path, Path(__file__), "cpu", ServiceLimits())
