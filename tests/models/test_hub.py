"""Weights named on the hub: from a cache that the test fills, without network, and what is refused."""

import pickle
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from deepfake_ssat.config import load_experiment
from deepfake_ssat.errors import CheckpointError, ConfigError
from deepfake_ssat.models.hub import local_weights
from deepfake_ssat.models.kinds import load_initial
from tests.models.test_pretrained import mae_weights, random_model, videomae_weights
from tests.models.tiny import IMAGE, VIDEO
from tests.training.runs import tiny_values, write_config

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Fills huggingface_hub's cache with a repository; all tests are offline."""
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    def repository(name, revision="main"):
        folder = tmp_path / f"models--{name.replace('/', '--')}"
        (folder / "refs").mkdir(parents=True)
        (folder / "refs" / revision).write_text(COMMIT)
        snapshot = folder / "snapshots" / COMMIT
        snapshot.mkdir(parents=True)
        return snapshot

    return repository


def test_a_path_stays_as_it_is(tmp_path):
    assert local_weights(tmp_path / "best.safetensors") == tmp_path / "best.safetensors"


def test_published_videomae_weights_start_a_training(cache):
    source = random_model(VIDEO, 2)
    weights = {name: value.contiguous() for name, value in videomae_weights(source).items()}
    save_file(weights, cache("MCG-NJU/videomae-base") / "model.safetensors")
    model = random_model(VIDEO, 9)
    report = load_initial(model, Path("hf:MCG-NJU/videomae-base"))
    assert "weights come from" in report[0]
    for name in ("patch_embed.weight", "blocks.2.attention.qkv.weight", "blocks.0.mlp.fc1.bias"):
        assert torch.equal(model.encoder.state_dict()[name], source.encoder.state_dict()[name])


def test_mae_weights_of_a_revision_in_a_file_of_torch(cache):
    source = random_model(IMAGE, 1)
    torch.save({"model": mae_weights(source)}, cache("facebook/vit-mae-base", "v1") / "pytorch_model.bin")
    model = random_model(IMAGE, 9)
    load_initial(model, Path("hf:facebook/vit-mae-base@v1"))
    assert torch.equal(model.encoder.class_token, source.encoder.class_token)
    with pytest.raises(CheckpointError, match="not in the cache"):
        local_weights(Path("hf:facebook/vit-mae-base"))


def test_safetensors_are_preferred(cache):
    snapshot = cache("owner/both")
    for file in ("model.safetensors", "pytorch_model.bin"):
        (snapshot / file).write_bytes(b"")
    assert local_weights(Path("hf:owner/both")).name == "model.safetensors"


class Dangerous:
    """A pickle that would write a file when it is loaded."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


def test_a_pickle_is_never_unpickled(cache, tmp_path):
    with (cache("owner/pickle") / "pytorch_model.bin").open("wb") as file:
        pickle.dump({"weight": Dangerous(tmp_path / "ran")}, file, protocol=2)
    torch.save({"weight": Dangerous(tmp_path / "ran")}, cache("owner/zip") / "pytorch_model.bin")
    for name in ("owner/pickle", "owner/zip"):
        with pytest.raises(CheckpointError, match="cannot be read as weights"):
            load_initial(random_model(IMAGE, 0), Path(f"hf:{name}"))
    assert not (tmp_path / "ran").exists()


def test_what_is_not_cached_is_said_with_its_remedy(cache):
    with pytest.raises(
        CheckpointError, match=r"init hf:owner/absent: is not in the cache.*hf download owner/absent"
    ):
        local_weights(Path("hf:owner/absent"))


def test_what_the_hub_answers_is_one_line(monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    asked = []

    def missing(repository, file, revision):
        asked.append(file)
        raise hub.errors.EntryNotFoundError("404")

    monkeypatch.setattr(hub, "hf_hub_download", missing)
    with pytest.raises(
        CheckpointError, match=r"neither model.safetensors nor pytorch_model.bin; .*in one file"
    ):
        local_weights(Path("hf:owner/sharded"))
    assert asked == ["model.safetensors", "pytorch_model.bin"]

    def refused(repository, file, revision):
        raise OSError("401 Client Error.\n\nRepository Not Found for url")

    monkeypatch.setattr(hub, "hf_hub_download", refused)
    with pytest.raises(CheckpointError, match=r"^init hf:owner/closed: .*\(401 Client Error\.\); check name"):
        local_weights(Path("hf:owner/closed"))


@pytest.mark.parametrize(
    "name", ["hf:videomae-base", "hf:owner/", "hf:owner/name@", "hf:a/b/c", "hf:../x@y z"]
)
def test_names_that_are_none_are_refused(name):
    with pytest.raises(ConfigError, match="write hf:OWNER/NAME"):
        local_weights(Path(name))


def test_the_extra_is_named_where_it_is_absent(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"deepfake-ssat\[hub\]"):
        local_weights(Path("hf:owner/name"))


def test_a_configuration_may_name_one(tmp_path):
    values = tiny_values(tmp_path, init="hf:MCG-NJU/videomae-base@main")
    experiment = load_experiment(write_config(tmp_path / "config.yaml", values))
    assert str(experiment.init) == "hf:MCG-NJU/videomae-base@main"
