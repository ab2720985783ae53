"""cross-dataset: every checkpoint on every data set, once, under names that tell them apart."""

import json

import pytest

from deepfake_ssat.commands import cross_dataset
from deepfake_ssat.commands.naming import named_paths
from deepfake_ssat.config import ExtractionSettings, Selection
from deepfake_ssat.errors import ConfigError, ContractError, ManifestError
from tests.inference.scripted import write_checkpoint
from tests.manifests import make_manifest, tiny_videos

TEST = Selection(splits=("test",))
CONTRACT = ExtractionSettings(frames=16, crop_size=32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("matrix")
    for name, per_class in (("ffpp", 2), ("dfdc", 1)):
        make_manifest(root / name, tiny_videos(per_class, ["test"]), frames=16)
    write_checkpoint(root / "runs" / "ssat" / "checkpoints" / "best.safetensors", contract=CONTRACT)
    return root


def _run(folder, out, manifests=("ffpp", "dfdc")):
    weights = folder / "runs" / "ssat" / "checkpoints" / "best.safetensors"
    sources = [str(folder / name) for name in manifests]
    return cross_dataset.run([str(weights), f"again={weights}"], sources, out, TEST, device="cpu")


@pytest.mark.slow
def test_matrix_has_every_pair_with_its_numbers(folder, tmp_path, monkeypatch):
    assert _run(folder, tmp_path) == 0
    document = json.loads((tmp_path / "matrix.json").read_text())
    found = [
        (cell["checkpoint"]["name"], cell["manifest"]["name"], cell["num_real"], cell["num_fake"])
        for cell in document["cells"]
    ]
    assert found == [
        ("ssat", "ffpp", 2, 2), ("ssat", "dfdc", 1, 1), ("again", "ffpp", 2, 2), ("again", "dfdc", 1, 1),
    ]  # fmt: skip
    evaluation = json.loads((tmp_path / "cells" / "ssat" / "ffpp" / "report.json").read_text())
    assert document["cells"][0]["video"] == evaluation["groups"][0]["video"]
    assert (tmp_path / "matrix.png").read_bytes().startswith(b"\x89PNG")
    assert "| ssat | 2 + 2 | 1 + 1 |" in (tmp_path / "matrix.md").read_text()
    before = (tmp_path / "matrix.csv").read_bytes()
    monkeypatch.setattr("deepfake_ssat.inference.detector.Detector.score", lambda *_: pytest.fail("again"))
    assert _run(folder, tmp_path) == 0
    assert (tmp_path / "matrix.csv").read_bytes() == before


def test_clips_cut_otherwise_are_refused_before_anything_is_scored(folder, tmp_path):
    make_manifest(tmp_path / "large", tiny_videos(1, ["test"]), size=48, frames=16)
    with pytest.raises(ContractError, match="crop_size is 32 in checkpoint ssat and 48 in data set large"):
        _run(folder, tmp_path / "out", ("ffpp", tmp_path / "large"))
    assert not (tmp_path / "out").exists()


def test_data_set_without_such_videos_is_refused_before_anything_is_scored(folder, tmp_path):
    only_test = [str(folder / "ffpp")]
    weights = [str(folder / "runs" / "ssat" / "checkpoints" / "best.safetensors")]
    with pytest.raises(ManifestError, match="data set ffpp: no labelled clip with splits val"):
        cross_dataset.run(weights, only_test, tmp_path / "out", Selection(splits=("val",)), device="cpu")
    assert not (tmp_path / "out").exists()


def test_paths_are_named_after_run_and_folder(tmp_path):
    run = tmp_path / "runs" / "ssat" / "checkpoints" / "best.safetensors"
    paths = named_paths([str(run), str(tmp_path / "plain.safetensors"), f"x={run}"], "--c")
    assert list(paths) == ["ssat", "plain", "x"]
    folders = [str(tmp_path / "ffpp"), str(tmp_path / "dfdc" / "manifest.csv")]
    assert list(named_paths(folders, "--m")) == ["ffpp", "dfdc"]


@pytest.mark.parametrize(
    ("values", "match"), [(["a/x", "b/x"], "is called x too"), (["=x"], "no name"), (["a/b=x"], "no name")]
)
def test_names_that_cannot_be_told_apart_are_refused(values, match):
    with pytest.raises(ConfigError, match=match):
        named_paths(values, "--manifest")
