import numpy as np
import pytest
import torch

from deepfake_ssat.config import DinoSettings
from deepfake_ssat.config.training import ObjectiveSettings
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.models.patches import tube_mask
from deepfake_ssat.objectives import (
    OBJECTIVES,
    Auxiliary,
    build_tasks,
    classification_loss,
    equation3_weights,
    reconstruction_loss,
)
from tests.models.tiny import IMAGE, VIDEO, changed

SMALL_DINO = DinoSettings(hidden_width=16, bottleneck_width=8, prototypes=12)
LOGITS = np.array([[0.2, 1.1], [1.5, -0.3], [0.0, 0.4]])
LABELS = np.array([1, 0, 0])


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def make_batch(settings=VIDEO):
    torch.manual_seed(0)
    model = MaskedAutoencoder(settings)
    shape = (4, settings.channels, settings.frames, settings.image_size, settings.image_size)
    return model, torch.randn(shape), torch.tensor([0, 1, 1, 1])


def run(name: str, model, clips, labels, seed: int = 3, **changes):
    generator = torch.Generator().manual_seed(seed)
    settings = ObjectiveSettings(name=name, dino=SMALL_DINO, **changes)
    torch.manual_seed(0)
    tasks = build_tasks(model, settings)
    auxiliary = Auxiliary(tasks, torch.stack([clips, clips.flip(-1)]))
    return OBJECTIVES[name](model, clips, labels, settings, equation3_weights(0.75), generator, auxiliary)


def test_equation_3_weights_real_by_w_and_fake_by_the_rest():
    w = 0.82
    log_p = log_softmax(LOGITS)
    real, fake = (LABELS == 0), (LABELS == 1)
    by_hand = -(w * real * log_p[:, 0] + (1 - w) * fake * log_p[:, 1])
    loss = classification_loss(torch.tensor(LOGITS), torch.tensor(LABELS), equation3_weights(w))
    assert float(loss) == pytest.approx(by_hand.mean(), abs=1e-6)


def test_w_as_fraction_of_fakes_gives_both_classes_the_same_weight():
    labels = torch.tensor([0] * 18 + [1] * 82)
    weights = equation3_weights(0.82)[labels]
    assert float(weights[labels == 0].sum()) == pytest.approx(float(weights[labels == 1].sum()))


def test_class_weight_counts_in_a_batch_of_one_clip():
    fake = classification_loss(torch.zeros(1, 2), torch.tensor([1]), equation3_weights(0.9))
    assert float(fake) == pytest.approx(0.1 * np.log(2))


def test_unweighted_loss_is_torchs_cross_entropy_with_smoothing():
    logits, labels = torch.tensor(LOGITS).float(), torch.tensor(LABELS)
    expected = torch.nn.functional.cross_entropy(logits, labels, label_smoothing=0.1)
    torch.testing.assert_close(classification_loss(logits, labels, None, 0.1), expected)


def test_soft_labels_of_mixup_mix_the_losses():
    logits = torch.tensor(LOGITS)
    other = torch.tensor(LABELS)[[2, 0, 1]]
    soft = 0.3 * torch.eye(2)[torch.tensor(LABELS)] + 0.7 * torch.eye(2)[other]
    mixed = 0.3 * classification_loss(logits, torch.tensor(LABELS)) + 0.7 * classification_loss(logits, other)
    torch.testing.assert_close(classification_loss(logits, soft), mixed)


@pytest.mark.parametrize("name", ["ssat", "ssat_visible"])
def test_total_is_the_convex_combination(name):
    losses = run(name, *make_batch(), classification_weight=0.1)
    expected = 0.1 * losses.classification + 0.9 * losses.reconstruction
    torch.testing.assert_close(losses.total, expected)


def test_supmae_is_a_hundredth_of_the_softened_classification_beside_the_whole_reconstruction():
    """Liang et al.: CE(logits / 10) · 0.01 + reconstruction; from the mean of the visible patch tokens."""
    settings = changed(IMAGE, pooling="patch_mean", head="mlp_batch_norm")
    model, clips, labels = make_batch(settings)
    mask = tube_mask(4, settings.grid, 0.75, torch.Generator().manual_seed(3), "cpu")
    losses = run("supmae", model, clips, labels, classification_weight=0.01)
    visible = torch.stack([(~row).nonzero().squeeze(1) for row in mask])
    tokens = model.encoder.norm(model.encoder(clips, visible))[:, 1:]
    first, norm, _, last = model.head
    hidden = tokens.mean(dim=1) @ first.weight.T + first.bias
    hidden = (hidden - hidden.mean(dim=0)) / (hidden.var(dim=0, unbiased=False) + norm.eps).sqrt()
    logits = (hidden.clamp_min(0.0) @ last.weight.T + last.bias).detach().numpy() / 10.0
    weights = np.array([0.75, 0.25, 0.25, 0.25])
    by_hand = -(weights * log_softmax(logits)[np.arange(4), labels.numpy()]).mean()
    assert losses.classification.item() == pytest.approx(by_hand, abs=1e-6)
    torch.testing.assert_close(losses.reconstruction, run("mae", model, clips, labels).reconstruction)
    torch.testing.assert_close(losses.total, 0.01 * losses.classification + losses.reconstruction)


def test_ssat_with_lambda_1_is_scratch_and_with_0_is_mae():
    batch = make_batch()
    scratch, mae = run("scratch", *batch), run("mae", *batch)
    all_classification = run("ssat", *batch, classification_weight=1.0)
    all_reconstruction = run("ssat", *batch, classification_weight=0.0)
    torch.testing.assert_close(all_classification.total, scratch.total)
    torch.testing.assert_close(all_reconstruction.total, mae.total)
    assert mae.classification is None
    assert mae.logits is None
    assert scratch.reconstruction is None


@pytest.mark.parametrize("task", ["simclr", "dino"])
def test_ssat_of_views_is_the_convex_combination_of_classification_and_task(task):
    batch = make_batch()
    joint, alone, scratch = (run(name, *batch) for name in (f"ssat_{task}", task, "scratch"))
    torch.testing.assert_close(joint.views, alone.total)
    torch.testing.assert_close(joint.classification, scratch.total)
    torch.testing.assert_close(joint.total, 0.1 * scratch.total + 0.9 * alone.total)
    torch.testing.assert_close(joint.logits, scratch.logits)
    assert (alone.classification, alone.logits) == (None, None)


@pytest.mark.parametrize(
    ("name", "passes"), [("scratch", 1), ("mae", 1), ("ssat", 2), ("ssat_visible", 1), ("supmae", 1)]
)
def test_number_of_encoder_passes(name, passes):
    model, clips, labels = make_batch()
    lengths = []
    model.encoder.register_forward_hook(lambda module, inputs, output: lengths.append(output.shape[1]))
    run(name, model, clips, labels)
    assert len(lengths) == passes
    assert min(lengths) == (32 if name == "scratch" else 8)


@pytest.mark.parametrize("settings", [VIDEO, IMAGE])
@pytest.mark.parametrize("part", ["classification", "reconstruction"])
@pytest.mark.parametrize("name", ["ssat", "ssat_visible"])
def test_gradient_reaches_the_encoder_from_both_losses(name, part, settings):
    model, clips, labels = make_batch(settings)
    getattr(run(name, model, clips, labels), part).backward()
    gradients = [parameter.grad for parameter in model.encoder.blocks.parameters()]
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)


def test_every_weight_learns_under_ssat():
    model, clips, labels = make_batch()
    run("ssat", model, clips, labels).total.backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


def test_reconstruction_loss_by_hand():
    model, clips, _ = make_batch()
    mask = tube_mask(4, VIDEO.grid, 0.75, torch.Generator().manual_seed(0), "cpu")
    settings = ObjectiveSettings(normalize_target=False, target_convention="mae")
    predictions = torch.zeros(4, int(mask[0].sum()), VIDEO.patch_values)
    hidden_cells = mask.reshape(4, 1, 2, 1, 4, 1, 4, 1).numpy()
    squares = clips.numpy().reshape(4, 3, 2, 2, 4, 8, 4, 8) ** 2
    by_hand = (squares * hidden_cells).sum() / (hidden_cells.sum() * 3 * 2 * 8 * 8)
    loss = reconstruction_loss(model, clips, mask, predictions, settings)
    assert float(loss) == pytest.approx(float(by_hand), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [VIDEO, IMAGE])
@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_losses_are_fp32_under_bf16_autocast_and_close_to_fp32(name, settings):
    batch = make_batch(settings)
    exact = run(name, *batch)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = run(name, *batch)
    assert rounded.total.dtype == torch.float32
    torch.testing.assert_close(rounded.total, exact.total, rtol=0.02, atol=0)


def test_masks_follow_the_generator():
    batch = make_batch()
    first, again, other = (run("mae", *batch, seed=seed).total for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ssat", "ssat_visible"])
def test_both_losses_fall_on_a_few_clips(name):
    model, _, labels = make_batch()
    # Smooth clips, so that there is something to reconstruct; their brightness tells the class.
    ramp = torch.linspace(-1, 1, 32)
    clips = (ramp[:, None] * ramp).expand(4, 3, 4, 32, 32) + labels.reshape(4, 1, 1, 1, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    history = []
    for step in range(40):
        losses = run(name, model, clips, labels, seed=step, classification_weight=0.5)
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
        history.append((losses.classification.item(), losses.reconstruction.item()))
    first, last = np.mean(history[:4], axis=0), np.mean(history[-4:], axis=0)
    assert (last < 0.5 * first).all()
