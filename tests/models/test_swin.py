"""Swin: parity with timm, what its decoder may see, sizes, initial weights, checkpoints, layers."""

from itertools import product

import pytest
import timm
import torch
from pydantic import ValidationError
from timm.models.swin_transformer import SwinTransformer
from torch.nn import functional

from deepfake_ssat.config import ObjectiveSettings, SwinSettings
from deepfake_ssat.models.checkpoint import Checkpoint, save_checkpoint
from deepfake_ssat.models.kinds import build_network, load_initial
from deepfake_ssat.models.patches import patchify, tube_mask, unpatchify
from deepfake_ssat.objectives import OBJECTIVES
from deepfake_ssat.training.optim import freeze_unused, parameter_groups
from tests.models import refusals

SMALL = SwinSettings(
    image_size=32,
    patch=8,
    embed_patch=2,
    width=12,
    depths=(2, 1, 2),
    heads=(1, 2, 3),
    window=4,
    num_classes=5,
)
"""16, 8 and 4 cells a side; 4 x 4 hidden patches of 4 x 4 cells; 8 pixels under a last cell."""
PADDED = SwinSettings.model_validate(SMALL.model_dump() | {"image_size": 28, "patch": 4})
"""14, 7 and 4 cells a side in windows of 4: padded in windows and when joined; 7 x 7 hidden patches."""
BOTH = pytest.mark.parametrize("settings", [SMALL, PADDED], ids=["even", "padded"])


def network(settings, seed=0):
    """Every weight random, so that nothing hides behind 0 or 1."""
    torch.manual_seed(seed)
    model = build_network(settings).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def batch(settings, count=2):
    generator = torch.Generator().manual_seed(1)
    shape = (count, settings.channels, 1, settings.image_size, settings.image_size)
    return torch.randn(shape, generator=generator), tube_mask(count, settings.grid, 0.75, generator, "cpu")


def timms(settings, **changes):
    return SwinTransformer(
        **{
            "img_size": settings.image_size,
            "patch_size": settings.embed_patch,
            "num_classes": settings.num_classes,
            "embed_dim": settings.width,
            "depths": settings.depths,
            "num_heads": settings.heads,
            "window_size": settings.window,
            **changes,
        }
    ).eval()


def timms_names(model):
    weights = {name.removeprefix("encoder."): value for name, value in model.state_dict().items()}
    weights |= {f"head.fc.{name}": weights.pop(f"head.{name}") for name in ("weight", "bias")}
    return {name: value for name, value in weights.items() if not name.startswith("decoder.")}


@BOTH
def test_logits_are_timms(settings):
    model, theirs = network(settings), timms(settings)
    theirs.load_state_dict(timms_names(model))
    clips, _ = batch(settings)
    with torch.inference_mode():
        torch.testing.assert_close(model(clips), theirs(clips[:, :, 0]))


@pytest.mark.slow
def test_the_defaults_are_swin_t():
    with torch.device("meta"):
        ours = build_network(SwinSettings(num_classes=1000))
        theirs = timm.create_model("swin_tiny_patch4_window7_224")
    shapes = {name: value.shape for name, value in theirs.state_dict().items()}
    assert {name: value.shape for name, value in timms_names(ours).items()} == shapes


@BOTH
def test_outputs_have_the_promised_shapes(settings):
    model, (clips, mask) = network(settings), batch(settings)
    hidden = int(mask[0].sum())
    logits, predictions = model.classify_and_reconstruct(clips, mask)
    assert logits.shape == (2, 5)
    assert predictions.shape == (2, hidden, settings.patch_values)
    torch.testing.assert_close(model.reconstruct(clips, mask), predictions)
    assert model.evidence_map(clips).shape == (2, 1, 4, 4)


@BOTH
def test_reconstruction_never_sees_hidden_pixels(settings):
    model, (clips, mask) = network(settings), batch(settings)
    patches = patchify(clips, 1, settings.patch)
    patches[mask] = 100.0
    disturbed = unpatchify(patches, settings.grid, 1, settings.patch)
    logits, predictions = model.classify_and_reconstruct(clips, mask)
    assert torch.equal(model.classify_and_reconstruct(disturbed, mask)[0], logits)
    assert torch.equal(model.reconstruct(disturbed, mask), predictions)
    assert not torch.allclose(model.classify(clips), model.classify(disturbed))
    patches[mask], patches[~mask] = 0.0, 100.0
    others = unpatchify(patches, settings.grid, 1, settings.patch)
    assert not torch.allclose(model.reconstruct(others, mask), predictions)


@BOTH
def test_masked_pass_is_simmims(settings):
    """Mask tokens in timm's network, a 1 x 1 convolution and PixelShuffle, as SimMIM publishes."""
    model, theirs = network(settings), timms(settings, num_classes=0, global_pool="")
    weights = {name: value for name, value in timms_names(model).items() if not name.startswith("head.")}
    theirs.load_state_dict(weights)
    clips, mask = batch(settings)
    patch, stride = settings.patch, settings.stride
    side, columns = patch // settings.embed_patch, settings.grid[2]
    predict = model.decoder.predict
    # Channels are last among a cell's values here, and first in PixelShuffle.
    order = torch.arange(3 * stride**2).view(stride, stride, 3).permute(2, 0, 1).flatten()
    with torch.inference_mode():
        cells = theirs.patch_embed(clips[:, :, 0])
        for number, row, column in product(range(len(cells)), range(cells.shape[1]), range(cells.shape[2])):
            if mask[number, row // side * columns + column // side]:
                cells[number, row, column] = model.decoder.mask_token
        last = theirs.norm(theirs.layers(cells)).permute(0, 3, 1, 2)
        values = functional.conv2d(last, predict.weight[order][:, :, None, None], predict.bias[order])
        pixels = functional.pixel_shuffle(values, stride)
        expected = [
            pixels[number, :, top : top + patch, left : left + patch].permute(1, 2, 0).flatten()
            for number in range(len(mask))
            for index in mask[number].nonzero().flatten().tolist()
            for top, left in [(index // columns * patch, index % columns * patch)]
        ]
        torch.testing.assert_close(model.reconstruct(clips, mask).flatten(0, 1), torch.stack(expected))
        logits, _ = model.classify_and_reconstruct(clips, mask)
        torch.testing.assert_close(logits, model.head(last.mean(dim=(2, 3))))


def test_predictions_are_the_pixels_below_their_cells():
    model = network(SMALL)
    mask = torch.zeros(1, 16, dtype=torch.bool)
    mask[:, [3, 9]] = True
    cells = torch.zeros(1, 4, 4, 48)
    cells[0, 2, 1] = torch.randn(48, generator=torch.Generator().manual_seed(0))
    predictions = model.decoder(cells, mask)
    torch.testing.assert_close(predictions[0, 0], model.decoder.predict.bias)
    torch.testing.assert_close(predictions[0, 1], model.decoder.predict(cells[0, 2, 1]))


@pytest.mark.parametrize("name", ["scratch", "mae", "ssat", "supmae"])
def test_every_weight_that_an_objective_trains_gets_a_gradient(name):
    model, objective = network(SMALL).train(), ObjectiveSettings.model_validate({"name": name})
    freeze_unused(model, objective)
    clips, _ = batch(SMALL)
    labels = torch.tensor([0, 4])
    OBJECTIVES[name](model, clips, labels, objective, None, torch.Generator().manual_seed(0)).total.backward()
    for name, value in model.named_parameters():
        assert (value.grad is not None) == value.requires_grad, name


def test_layers_are_blocks_and_what_is_behind_them_is_left_out():
    model = network(SMALL)
    numbers = model.layer_numbers()
    assert numbers["encoder.patch_embed.proj.weight"] == 0
    assert numbers["encoder.layers.0.blocks.1.mlp.fc1.weight"] == 2
    assert numbers["encoder.layers.1.downsample.reduction.weight"] == 3
    assert numbers["encoder.layers.2.blocks.1.norm1.bias"] == 5
    behind = {name for name, _ in model.encoder.named_parameters() if f"encoder.{name}" not in numbers}
    assert behind == {"norm.weight", "norm.bias"}


def test_norms_biases_tables_and_the_mask_token_do_not_decay():
    model = network(SMALL)
    groups = parameter_groups(model, 0.05, 1.0, 1.0)
    decaying = {id(value) for group in groups if group["weight_decay"] for value in group["params"]}
    undecayed = [name for name, value in model.named_parameters() if id(value) not in decaying]
    assert all("norm" in name or "bias" in name or "mask_token" in name for name in undecayed)
    assert sum("relative_position_bias_table" in name for name in undecayed) == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": 16}, "frames is 16, this network reads single pictures: set model.frames to 1"),
        ({"patch": 9}, "image_size 32 is not a multiple of patch 9"),
        ({"patch": 1}, "patch 1 is not a multiple of embed_patch 2"),
        ({"patch": 32}, "patch 32 covers image_size 32: take a smaller patch"),
        ({"heads": (1, 2)}, r"depths \(2, 1, 2\) and heads \(1, 2\) must hold one positive number"),
        ({"heads": (1, 2, 5)}, "width 48 of stage 3 is not a multiple of heads 5"),
        ({"embed_patch": 16, "patch": 16}, "image_size 32 is less than the 64 pixels under a cell"),
        ({"std": (0.0,)}, r"std \(0.0,\) must be positive"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        SwinSettings.model_validate(SMALL.model_dump() | changes)


def test_clips_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"the model reads \(batch, 3, 1, 32, 32\)"):
        network(SMALL)(torch.zeros(1, 3, 1, 64, 64))


@pytest.mark.parametrize("place", ["", "module.", "encoder.", "model."])
def test_starts_from_timms_weights(place, tmp_path):
    source, model = timms(SMALL), network(SMALL)
    torch.save({place + name: value for name, value in source.state_dict().items()}, tmp_path / "swin.pth")
    report = load_initial(model, tmp_path / "swin.pth")
    assert report[0].startswith(f"{len(source.state_dict())} of {len(model.state_dict())} weights come from")
    assert report[1:] == ["decoder: left as initialised, the file has no complete one"]
    clips, _ = batch(SMALL)
    torch.testing.assert_close(model(clips), source(clips[:, :, 0]))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_other_windows_and_patches_are_interpolated_as_timm_does(tmp_path):
    source = timms(SMALL, img_size=56, patch_size=4, window_size=7, num_classes=1000)
    torch.save(source.state_dict(), tmp_path / "swin.pth")
    model = network(SMALL)
    report = load_initial(model, tmp_path / "swin.pth")
    assert report[1] == "4 weights of windows and patches are interpolated to the model's sizes"
    assert report[2].startswith("head: left as initialised, head.weight is (1000, 48) in the file")
    source.set_input_size(img_size=32, patch_size=2, window_size=4)
    clips, _ = batch(SMALL)
    expected = source.forward_features(clips[:, :, 0])
    torch.testing.assert_close(model.encoder.norm(model._stages(clips)[-1]), expected)


def test_fine_tuning_starts_from_the_checkpoint_of_pre_training(tmp_path):
    before, after = network(SMALL), network(SMALL, seed=1)
    save_checkpoint(tmp_path / "mae.safetensors", Checkpoint(before, SMALL))
    report = load_initial(after, tmp_path / "mae.safetensors")
    assert len(report) == 1
    clips, mask = batch(SMALL)
    torch.testing.assert_close(after.reconstruct(clips, mask), before.reconstruct(clips, mask))


def test_file_of_another_network_is_refused(tmp_path):
    torch.save(timm.create_model("test_vit").state_dict(), tmp_path / "vit.pth")
    reason = refusals.refusal(load_initial, network(SMALL), tmp_path / "vit.pth")
    assert "encoder." in reason or "none of its" in reason
