"""Sharding over a group of one process; two of them train in tests/commands/test_train_sharded.py."""

import pytest
import torch
from pydantic import ValidationError
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor
from torch.torch_version import TorchVersion

from deepfake_ssat.config import Experiment
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.training.sharding import ShardedStrategy, is_finite, shard, whole_network
from tests.training.runs import tiny_values
from tests.training.test_module import batch, module


def test_torch_that_shards_otherwise_is_refused(monkeypatch):
    monkeypatch.setattr(torch, "__version__", TorchVersion("2.10.1+cpu"))
    with pytest.raises(ConfigError, match=r"torch 2\.10\.1\+cpu .* install torch 2\.11 or later"):
        ShardedStrategy(2, "gloo")


@pytest.fixture
def sharded(tmp_path):
    torch.distributed.init_process_group("gloo", f"file://{tmp_path}/store", rank=0, world_size=1)
    training = module(tmp_path).eval()
    shard(training, init_device_mesh("cpu", (1,)))
    yield training
    torch.distributed.destroy_process_group()


@torch.no_grad()
def test_sharded_network_scores_as_a_whole_one_and_as_its_whole_copy(sharded, tmp_path):
    training = module(tmp_path).eval()
    for model in (training.model, sharded.model):
        model.head.weight.mul_(3.0)
    expected = training.validation_step(batch(), 0)
    assert sharded.validation_step(batch(), 0) == expected
    training.model = whole_network(sharded.model)
    assert training.validation_step(batch(), 0) == expected


@pytest.mark.slow
def test_network_that_is_not_sharded_is_its_own_whole(tmp_path):
    model = module(tmp_path).model
    assert whole_network(model) is model


@torch.no_grad()
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_sharded_weight_that_is_not_finite_is_noticed(sharded, value):
    weight = sharded.model.head.weight
    assert isinstance(weight, DTensor)
    assert is_finite(weight)
    weight.to_local()[-1, -1] = value
    assert not is_finite(weight)


def test_weights_are_split_of_a_plain_vit_alone_and_not_averaged(tmp_path):
    values = tiny_values(tmp_path, objective={"name": "scratch"}, trainer={"strategy": "fsdp"})
    Experiment.model_validate(values)
    with pytest.raises(ValidationError, match=r"strategy fsdp is for a plain ViT's .*, model\.kind is frame"):
        Experiment.model_validate(values | {"model": {"kind": "frame_model"}})
    values["optimizer"]["ema_decay"] = 0.999
    with pytest.raises(
        ValidationError,
        match=r"ema_decay 0\.999 averages whole weights, trainer\.strategy fsdp splits them: set ema_decay",
    ):
        Experiment.model_validate(values)
