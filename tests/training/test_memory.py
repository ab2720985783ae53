import pytest
import torch
from pydantic import ValidationError

from deepfake_ssat.config import Experiment
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.training.memory import recompute_blocks
from tests.models.tiny import ENCODER, VIDEO, changed
from tests.training.joint import gradients_of, joint_loss
from tests.training.runs import tiny_values


def gradients(recomputed):
    """Of a joint loss with stochastic depth, and how many values were kept for them."""
    torch.manual_seed(0)
    dropping = ENCODER.model_copy(update={"drop_path": 0.5}).model_dump()
    model = MaskedAutoencoder(changed(VIDEO, encoder=dropping)).train()
    if recomputed:
        recompute_blocks(model)
    kept = {}

    def keep(tensor):
        kept[tensor.data_ptr()] = tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = joint_loss(model)
    loss.backward()
    return gradients_of(model), sum(kept.values())


def test_recomputed_blocks_give_the_same_gradients_of_less_that_is_kept():
    (plain, kept), (recomputed, fewer) = gradients(False), gradients(True)
    assert all(torch.equal(plain[name], recomputed[name]) for name in plain)
    assert fewer < kept / 2


def test_activation_checkpointing_is_refused_for_networks_without_such_blocks(tmp_path):
    values = tiny_values(tmp_path, objective={"name": "scratch"}, trainer={"activation_checkpointing": True})
    Experiment.model_validate(values)
    with pytest.raises(ValidationError, match=r"is for a plain ViT's blocks, model\.kind is frame_model"):
        Experiment.model_validate(values | {"model": {"kind": "frame_model"}})
