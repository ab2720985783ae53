import numpy as np
import pytest
import torch

from deepfake_ssat.config import DecoderSettings, EncoderSettings, ModelSettings
from deepfake_ssat.inference.heatmaps import reconstruction_error_map
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.models.patches import patchify


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


@pytest.mark.parametrize("of_class", [0, 1, 2])
def test_evidence_of_any_class_is_gradient_times_activation(of_class):
    torch.manual_seed(0)
    settings = ModelSettings(
        frames=1,
        tubelet=1,
        image_size=32,
        patch=8,
        num_classes=3,
        encoder=EncoderSettings(width=24, depth=1, heads=2),
        decoder=DecoderSettings(width=16, depth=1, heads=2),
    )
    model = MaskedAutoencoder(settings).eval().double()
    clips = torch.randn(1, 3, 1, 32, 32, dtype=torch.float64)
    tokens = model.encoder.before_last_block(clips).detach().requires_grad_()
    logits = model._logits(model.encoder.blocks[-1](tokens))[0]
    others = [logits[other] for other in range(3) if other != of_class]
    (gradient,) = torch.autograd.grad(logits[of_class] - sum(others) / 2, tokens)
    expected = (gradient * tokens).sum(dim=-1).clamp_min(0.0).detach().view(1, 1, 4, 4)
    torch.testing.assert_close(model.evidence_map(clips, torch.tensor([of_class])), expected)


@pytest.mark.parametrize(("ratio", "passes"), [(0.75, 3), (0.5, 4), (0.9, 3)])
def test_few_passes_hide_every_cell_twice(model, ratio, passes):
    hidden = []
    reconstruct = model.reconstruct
    model.reconstruct = lambda clips, mask: (hidden.append(mask[0]), reconstruct(clips, mask))[1]
    reconstruction_error_map(
        model, torch.randn(1, 3, 4, 32, 32), mask_ratio=ratio, normalize=True, convention="videomae"
    )
    assert len(hidden) == passes
    assert int(torch.stack(hidden).sum(dim=0).min()) >= 2


def test_error_is_that_of_hidden_passes_alone(model):
    """Independently, cell by cell, in fp32."""
    clips = torch.randn(1, 3, 4, 32, 32)
    masks = []
    reconstruct = model.reconstruct
    model.reconstruct = lambda clips, mask: (masks.append(mask), reconstruct(clips, mask))[1]
    errors = reconstruction_error_map(
        model, clips, mask_ratio=0.75, normalize=False, convention="videomae"
    ).flatten()
    sums, counts = np.zeros(32), np.zeros(32)
    mean, std = (
        torch.tensor(values).view(3, 1, 1, 1) for values in (model.settings.mean, model.settings.std)
    )
    truth = patchify(clips * std + mean, 2, 8)[0].numpy()
    for mask in masks:
        with torch.inference_mode():
            predicted = reconstruct(clips, mask)[0].clamp(0, 1).numpy()
        for number, cell in enumerate(mask[0].nonzero().flatten().tolist()):
            sums[cell] += np.square(predicted[number] - truth[cell]).mean()
            counts[cell] += 1
    np.testing.assert_allclose(errors, np.sqrt(sums / counts), atol=3e-3)
