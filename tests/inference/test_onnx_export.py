"""The ONNX file: torch's probabilities, all that its user must know, and nothing of the exporting machine."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from deepfake_ssat.commands.export import run
from deepfake_ssat.errors import CheckpointError, ConfigError, OutputError
from deepfake_ssat.inference import onnx_export
from deepfake_ssat.inference.onnx_export import PARITY_TOLERANCE, export_onnx
from tests.inference.exported import DECISION, checkpoint_file, checkpoint_in, exported
from tests.inference.scripted import CONTRACT, face_clip
from tests.pages import run_page

# Set before ONNX Runtime is imported, or it reports.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture
def ready_made(monkeypatch):
    """Exporting takes the graph that was made before, changed by a function if one is given."""

    graph = exported()[0]

    def use(change=lambda model: None):
        def made(checkpoint):
            model = onnx.load_from_string(graph)
            change(model)
            return model

        monkeypatch.setattr(onnx_export, "onnx_model", made)

    return use


@pytest.mark.slow
@pytest.mark.parametrize("num_clips", [1, 3])
def test_page_about_exporting_gives_torchs_probabilities(tmp_path, monkeypatch, capsys, num_clips):
    monkeypatch.chdir(tmp_path)
    checkpoint = checkpoint_in(tmp_path)
    (tmp_path / "detector.onnx").write_bytes(exported()[0])
    pixels = np.stack([face_clip(0, start).pixels for start in range(num_clips)])
    np.save("clips.npy", pixels)
    values = (pixels / 255.0 - checkpoint.settings.mean) / checkpoint.settings.std
    with torch.no_grad():
        logits = checkpoint.model(torch.from_numpy(values).float().permute(0, 4, 1, 2, 3)).numpy()
    odds = np.exp((logits[:, 1] - logits[:, 0]) / DECISION.temperature)
    names = run_page("export.md")
    np.testing.assert_allclose(names["probabilities"], odds / (1 + odds), atol=PARITY_TOLERANCE)
    assert len(capsys.readouterr().out.splitlines()) == num_clips


def test_parity_that_the_export_reports_is_within_its_limit():
    assert 0 <= exported()[1] <= PARITY_TOLERANCE


def test_file_tells_its_contract_decision_and_origin(tmp_path):
    model = onnx.load_from_string(exported()[0])
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(facts["extraction_contract"]) == CONTRACT.model_dump(mode="json")
    assert json.loads(facts["decision"])["temperature"] == DECISION.temperature
    assert facts["checkpoint_sha256"] == checkpoint_in(tmp_path).hash
    assert "uint8 (batch, 4, 32, 32, 3)" in facts["input"]
    (clips,) = model.graph.input
    shape = [size.dim_param or size.dim_value for size in clips.type.tensor_type.shape.dim]
    assert (clips.name, shape) == ("clips", ["batch", 4, 32, 32, 3])


def test_file_holds_no_path_of_the_machine_that_made_it():
    data = exported()[0]
    for part in (str(Path(onnx_export.__file__).parents[2]), "site-packages", "masked_autoencoder.py"):
        assert part.encode() not in data


def test_file_that_computes_something_else_is_not_written(tmp_path, ready_made):
    def scramble(model):
        weights = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
        values = np.frombuffer(weights.raw_data, np.float32)
        weights.raw_data = values[::-1].tobytes()

    ready_made(scramble)
    with pytest.raises(CheckpointError, match=r"ONNX form differs from torch by .* nothing was written"):
        export_onnx(checkpoint_in(tmp_path), tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()


def test_command_writes_the_file_and_tells_the_difference(tmp_path, ready_made, capsys):
    ready_made()
    out = tmp_path / "detector.onnx"
    assert run(checkpoint_file(tmp_path), out) == 0
    assert onnx.load(str(out)).graph.output[0].name == "probability_of_fake"
    assert "largest difference to torch" in capsys.readouterr().out.replace("\n", " ")


def test_outputs_that_cannot_be_written_are_refused(tmp_path, ready_made):
    with pytest.raises(OutputError, match="is a folder; give a file"):
        run(checkpoint_file(tmp_path), tmp_path)
    ready_made()
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="does not exist; make it"):
        run(checkpoint_file(tmp_path), tmp_path / "file" / "out.onnx")


def test_missing_packages_are_named_with_the_extra_that_brings_them(tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name.startswith("onnx") else find(name)
    )
    with pytest.raises(ConfigError, match=r"export needs onnx and .*deepfake-ssat\[export\]'$"):
        run(checkpoint_file(tmp_path), tmp_path / "out.onnx")


@pytest.mark.slow
def test_onnx_runtime_is_told_to_report_nothing(tmp_path):
    """Its reporter keeps a device number and a queue in the cache folder."""
    (tmp_path / "tiny.onnx").write_bytes(exported()[0])
    code = (
        "from deepfake_ssat.inference.extras import import_onnxruntime; "
        "import_onnxruntime().InferenceSession('tiny.onnx', providers=['CPUExecutionProvider'])"
    )
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    environment["PYTHONPATH"] = str(Path(onnx_export.__file__).parents[2])
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environment)
    assert [file.name for file in tmp_path.iterdir()] == ["tiny.onnx"]
