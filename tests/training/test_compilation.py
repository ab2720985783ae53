import warnings
from functools import partial

import pytest
import torch
from pydantic import ValidationError

from deepfake_ssat.config import Experiment
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.training import compilation
from deepfake_ssat.training.compilation import check_compiler, compile_blocks
from deepfake_ssat.training.memory import recompute_blocks
from deepfake_ssat.training.trainer import KNOWN_NAGGING
from tests.models.tiny import VIDEO
from tests.training.joint import gradients_of, joint_loss
from tests.training.runs import tiny_values


def joint_step(*changes):
    """The joint loss and its gradients, by the weights' names."""
    torch.manual_seed(0)
    model = MaskedAutoencoder(VIDEO).train()
    for change in changes:
        change(model)
    loss = joint_loss(model)
    loss.backward()
    return loss.detach(), gradients_of(model)


@pytest.mark.slow
@pytest.mark.parametrize("also", [(), (recompute_blocks,)])
def test_compiled_blocks_give_the_same_loss_and_gradients(also):
    compiled_graphs = torch._dynamo.utils.counters["stats"]
    compiled_graphs.clear()
    loss, gradients = joint_step()
    assert not compiled_graphs
    with warnings.catch_warnings():
        for message in KNOWN_NAGGING:
            warnings.filterwarnings("ignore", message)
        compiled_loss, compiled = joint_step(partial(compile_blocks, backend="aot_eager"), *also)
    # The encoder's blocks with all tokens and with the visible ones, the decoder's.
    assert compiled_graphs["unique_graphs"] >= 3
    torch.testing.assert_close(compiled_loss, loss)
    assert compiled.keys() == gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(compiled[name], gradient, rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize(("variable", "shown"), [(None, r"no g\+\+ or clang\+\+"), ("icpx", "no icpx")])
def test_a_cpu_without_a_compiler_is_told_of_it(monkeypatch, variable, shown):
    monkeypatch.setattr(compilation.shutil, "which", lambda name: None)
    monkeypatch.delenv("CXX", raising=False)
    if variable:
        monkeypatch.setenv("CXX", variable)
    check_compiler("cuda")
    with pytest.raises(ConfigError, match=f"finds {shown}.*trainer.compile=false"):
        check_compiler("cpu")


def test_compiling_is_refused_for_networks_without_such_blocks(tmp_path):
    values = tiny_values(tmp_path, objective={"name": "scratch"}, trainer={"compile": True})
    Experiment.model_validate(values)
    with pytest.raises(ValidationError, match=r"compile is for a plain ViT's blocks"):
        Experiment.model_validate(values | {"model": {"kind": "frame_model"}})
