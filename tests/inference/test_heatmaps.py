import numpy as np
import pytest
import torch

from deepfake_ssat.config import DecoderSettings, EncoderSettings, ModelSettings
from deepfake_ssat.inference.heatmaps import reconstruction_error_map
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder


@pytest.fixture(params=["mean", "class_token"])
def model(request):
    torch.manual_seed(0)
    settings = ModelSettings(
        frames=4,
        image_size=32,
        patch=8,
        pooling=request.param,
        encoder=EncoderSettings(width=24, depth=2, heads=2),
        decoder=DecoderSettings(width=16, depth=1, heads=2),
    )
    return MaskedAutoencoder(settings).eval()


def test_evidence_is_gradient_times_activation_by_finite_differences(model):
    clips = torch.randn(1, 3, 4, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        evidence = model.evidence_map(clips)
    model = model.double()

    inputs = []
    hook = model.encoder.blocks[-1].register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    model.classify(clips.double())
    hook.remove()
    cell = 5
    offset = inputs[0].shape[1] - model.settings.num_tokens

    def difference(scale):
        changed = inputs[0].detach().clone()
        changed[:, offset + cell] *= scale
        logits = model._logits(model.encoder.blocks[-1](changed))
        return float((logits[:, 1] - logits[:, 0]).detach())

    expected = (difference(1 + 1e-5) - difference(1 - 1e-5)) / 2e-5
    assert evidence.shape == (1, 2, 4, 4)
    assert float(evidence.flatten()[cell]) == pytest.approx(max(expected, 0.0), abs=1e-4)


def test_every_cell_has_a_reconstruction_error(model):
    clips = torch.randn(2, 3, 4, 32, 32)
    errors = reconstruction_error_map(
        model, clips, mask_ratio=0.75, normalize=True, convention="videomae", rounds=1
    )
    assert errors.shape == (2, 2, 4, 4)
    assert torch.isfinite(errors).all()


def test_flat_patches_are_reconstructed_without_error(model):
    clips = torch.zeros(1, 3, 4, 32, 32)
    errors = reconstruction_error_map(
        model, clips, mask_ratio=0.5, normalize=True, convention="videomae", rounds=1
    )
    np.testing.assert_allclose(errors, 0.0, atol=1e-4)
