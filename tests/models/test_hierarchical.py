"""What Swin and CvT have in common: checkpoints, bf16, and what other tasks read of them."""

import pytest
import torch

from deepfake_ssat.config import ObjectiveSettings
from deepfake_ssat.config.extraction import ExtractionSettings
from deepfake_ssat.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from deepfake_ssat.objectives import OBJECTIVES, Auxiliary, build_tasks
from deepfake_ssat.training.optim import freeze_unused
from tests.models import test_cvt as cvt
from tests.models import test_swin as swin

BOTH = pytest.mark.parametrize("small", [swin, cvt], ids=["swin", "cvt"])


@pytest.mark.slow
@BOTH
def test_checkpoint_comes_back_with_and_without_its_decoder(tmp_path, small):
    model, path = small.network(small.SMALL), tmp_path / "model.safetensors"
    save_checkpoint(path, Checkpoint(model, small.SMALL, ExtractionSettings()))
    clips, mask = small.batch(small.SMALL)
    loaded = load_checkpoint(path)
    torch.testing.assert_close(loaded.model.reconstruct(clips, mask), model.reconstruct(clips, mask))
    light = load_checkpoint(path, decoder=False)
    assert light.model.autoencoder() is None
    torch.testing.assert_close(light.model(clips), model(clips))
    with pytest.raises(ValueError, match="dropped"):
        light.model.reconstruct(clips, mask)


@BOTH
def test_bf16_gives_nearly_the_same_losses(small):
    objective = ObjectiveSettings.model_validate({"name": "ssat"})
    model = small.network(small.SMALL).train()
    clips, _ = small.batch(small.SMALL)
    losses = []
    for enabled in (False, True):
        generator = torch.Generator().manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            step = OBJECTIVES["ssat"](model, clips, torch.tensor([0, 4]), objective, None, generator)
        losses.append(step.total)
    torch.testing.assert_close(*losses, atol=0.02, rtol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("small", "shapes"),
    [(swin, [(12, 1, 16, 16), (24, 1, 8, 8), (48, 1, 4, 4)]), (cvt, [(12, 1, 8, 8), (24, 1, 4, 4)])],
    ids=["swin", "cvt"],
)
@pytest.mark.parametrize("objective", ["scratch", "simclr"])
def test_other_tasks_read_its_features_and_maps(objective, small, shapes):
    model = small.network(small.SMALL).train()
    terms = {"relative_localisation": {"pairs": 4}} if objective == "scratch" else {}
    settings = ObjectiveSettings.model_validate({"name": objective, **terms})
    clips, _ = small.batch(small.SMALL)
    logits, maps = model.eval().classify_with_maps(clips)
    torch.testing.assert_close(logits, model.classify(clips))
    assert [cells.shape[1:] for cells in maps.blocks] == shapes
    assert maps.final.shape == (2, model.feature_width, 1, 4, 4)
    torch.testing.assert_close(model.head(model.features(clips)), logits)
    freeze_unused(model.train(), settings)
    auxiliary = Auxiliary(build_tasks(model, settings), torch.stack([clips, clips + 0.1]))
    labels, generator = torch.tensor([0, 4]), torch.Generator().manual_seed(0)
    step = OBJECTIVES[objective](model, clips, labels, settings, None, generator, auxiliary)
    step.total.backward()
    trained = {name for name, value in model.named_parameters() if value.requires_grad}
    assert trained == {name for name, value in model.named_parameters() if value.grad is not None}
