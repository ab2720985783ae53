"""UM-MAE's masking: the draw, the compact pass against timm's Swin of half the side, its sight, its cost."""

import numpy as np
import pytest
import torch
from einops import rearrange
from pydantic import ValidationError

from deepfake_ssat.config import Cifar, Experiment, ObjectiveSettings, SwinSettings
from deepfake_ssat.inference.heatmaps import reconstruction_error_map
from deepfake_ssat.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from deepfake_ssat.models.patches import patchify, unpatchify
from deepfake_ssat.models.uniform_masking import draw_mask, uniform_mask
from deepfake_ssat.objectives import OBJECTIVES
from deepfake_ssat.training.operations import count_multiply_adds
from deepfake_ssat.training.optim import freeze_unused
from tests.models.test_swin import SMALL, network, timms, timms_names

DECODER = {"width": 16, "depth": 1, "heads": 2}
EVEN = SwinSettings.model_validate(
    SMALL.model_dump() | {"patch": 4, "uniform_masking": {"secondary_ratio": 0.25, "decoder": DECODER}}
)
"""8 x 8 patches of 2 x 2 cells; compact: stages of 8, 4 and 2 cells, 2 x 2 patches under a last one."""
PADDED = SwinSettings.model_validate(
    EVEN.model_dump() | {"image_size": 56, "patch": 4, "window": 5, "heads": (1, 2, 2)}
)
"""14 x 14 patches; compact: 28 pixels, stages of 14, 7 and 4 cells, in windows of 5: padded everywhere."""
BOTH = pytest.mark.parametrize("settings", [EVEN, PADDED], ids=["even", "padded"])


def batch(settings, count=2):
    generator = torch.Generator().manual_seed(1)
    shape = (count, 3, 1, settings.image_size, settings.image_size)
    return torch.randn(shape, generator=generator), draw_mask(count, settings, 0.75, generator, "cpu")


@pytest.mark.parametrize(("side", "ratio", "again"), [(8, 0.25, 4), (14, 0.25, 13), (8, 0.0, 0), (2, 0.9, 0)])
def test_uniform_mask_is_that_of_a_plain_loop(side, ratio, again):
    blocks = (side // 2) ** 2
    noise = torch.rand(3, blocks, 5, generator=torch.Generator().manual_seed(5)).numpy()
    expected = np.ones((3, side, side), dtype=bool)
    for picture in range(3):
        staying = np.argsort(noise[picture, :, 4])[: blocks - again]
        for block in staying:
            row, column = divmod(int(block), side // 2)
            down, right = divmod(int(np.argmax(noise[picture, block, :4])), 2)
            expected[picture, 2 * row + down, 2 * column + right] = False
    mask = uniform_mask(3, (1, side, side), ratio, torch.Generator().manual_seed(5), "cpu")
    np.testing.assert_array_equal(mask.reshape(3, side, side).numpy(), expected)


def test_every_place_is_sampled_and_hidden_again_alike():
    masks = uniform_mask(4000, (1, 4, 4), 0.25, torch.Generator().manual_seed(0), "cpu").reshape(-1, 4, 4)
    np.testing.assert_allclose((~masks).float().mean(dim=0).numpy(), 0.25 * 0.75, atol=0.02)
    shown = rearrange(~masks, "b (r y) (c x) -> b r c (y x)", y=2, x=2).sum(dim=-1)
    assert shown.max() == 1
    assert (shown.flatten(1).sum(dim=1) == 3).all()


@BOTH
def test_compact_pass_is_timms_swin_of_half_the_side(settings):
    model, (clips, _) = network(settings), batch(settings)
    mask = uniform_mask(2, settings.grid, 0.0, torch.Generator().manual_seed(2), "cpu")
    half = settings.image_size // 2
    theirs = timms(settings, img_size=half, num_classes=0)
    weights = timms_names(model)
    ours = dict(model.encoder.named_modules())
    for name, module in theirs.named_modules():
        if hasattr(module, "relative_position_bias_table"):
            # A smaller window has the table's middle: the same offsets between cells.
            trained, window = ours[name].window_size[0], module.window_size[0]
            table = weights[f"{name}.relative_position_bias_table"].reshape(
                2 * trained - 1, 2 * trained - 1, -1
            )
            middle = slice(trained - window, trained + window - 1)
            weights[f"{name}.relative_position_bias_table"] = table[middle, middle].flatten(0, 1)
    theirs.load_state_dict({name: value for name, value in weights.items() if not name.startswith("head.")})
    compact = torch.empty(2, 3, half, half)
    patch, side = settings.patch, settings.grid[1]
    for picture in range(2):
        for row, column in np.argwhere(~mask[picture].reshape(side, side).numpy()):
            source = clips[
                picture, :, 0, row * patch : (row + 1) * patch, column * patch : (column + 1) * patch
            ]
            top, left = row // 2 * patch, column // 2 * patch
            compact[picture, :, top : top + patch, left : left + patch] = source
    with torch.inference_mode():
        cells = model.encoder.norm(model.decoder.encode(model.encoder, clips, mask))
        torch.testing.assert_close(cells, theirs.forward_features(compact))


@pytest.mark.slow
@BOTH
def test_classification_is_that_of_a_swin_with_simmims_decoder(settings):
    model, plain = (
        network(settings),
        network(SwinSettings(**settings.model_dump(exclude={"uniform_masking"}))),
    )
    plain.encoder.load_state_dict(model.encoder.state_dict())
    plain.head.load_state_dict(model.head.state_dict())
    clips, _ = batch(settings)
    with torch.inference_mode():
        assert torch.equal(model(clips), plain(clips))


@BOTH
def test_neither_encoder_nor_decoder_sees_hidden_pixels(settings):
    model, (clips, mask) = network(settings), batch(settings)
    patches = patchify(clips, 1, settings.patch)
    patches[mask] = float("nan")
    disturbed = unpatchify(patches, settings.grid, 1, settings.patch)
    logits, predictions = model.classify_and_reconstruct(clips, mask)
    assert logits.shape == (2, 5)
    assert predictions.shape == (2, int(mask[0].sum()), settings.patch_values)
    assert torch.equal(model.classify_and_reconstruct(disturbed, mask)[0], logits)
    assert torch.equal(model.reconstruct(disturbed, mask), predictions)
    patches = patchify(clips, 1, settings.patch)
    patches[~mask] += 1.0
    others = unpatchify(patches, settings.grid, 1, settings.patch)
    assert not torch.allclose(model.reconstruct(others, mask), predictions)


def test_tokens_behind_the_encoder_stand_where_their_patches_were_sampled():
    model, (_, mask) = network(EVEN, seed=3), batch(EVEN)
    seen = {}

    def keep(_, given):
        seen["tokens"], seen["sampled"], seen["hidden"] = given

    model.decoder.transformer.register_forward_pre_hook(keep)
    cells = torch.randn(2, 2, 2, EVEN.last_width, generator=torch.Generator().manual_seed(0))
    model.decoder(cells, mask)
    width = EVEN.last_width // 2
    for picture in range(2):
        for row in range(4):
            for column in range(4):
                token = 4 * row + column
                block = (
                    mask[picture].reshape(8, 8)[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].flatten()
                )
                place = int(block.int().argmin())
                index = 8 * (2 * row + place // 2) + 2 * column + place % 2
                assert int(seen["sampled"][picture, token]) == index
                part = 2 * (row % 2) + column % 2
                four = model.decoder.expand(cells[picture, row // 2, column // 2])
                expected = four[part * width : (part + 1) * width]
                torch.testing.assert_close(seen["tokens"][picture, token], expected)
        assert seen["hidden"][picture].tolist() == np.flatnonzero(mask[picture].numpy()).tolist()


@pytest.mark.parametrize("name", ["scratch", "mae", "ssat", "supmae"])
def test_every_weight_that_an_objective_trains_gets_a_gradient(name):
    model, objective = network(EVEN).train(), ObjectiveSettings.model_validate({"name": name})
    freeze_unused(model, objective)
    clips, _ = batch(EVEN)
    labels = torch.tensor([0, 4])
    OBJECTIVES[name](model, clips, labels, objective, None, torch.Generator().manual_seed(0)).total.backward()
    for name, value in model.named_parameters():
        assert (value.grad is not None and bool(value.grad.any())) == value.requires_grad, name


def test_gradients_of_the_compact_pass_are_those_of_differences():
    model, (clips, mask) = network(EVEN).double(), batch(EVEN, 1)
    clips = clips.double()
    attention = model.encoder.layers[1].blocks[0].attn
    for parameter in (attention.relative_position_bias_table, model.decoder.mask_token):

        def loss(change, parameter=parameter):
            with torch.no_grad():
                parameter.view(-1)[7] += change
                value = model.reconstruct(clips, mask).square().sum()
                parameter.view(-1)[7] -= change
            return float(value)

        model.zero_grad()
        model.reconstruct(clips, mask).square().sum().backward()
        expected = (loss(1e-5) - loss(-1e-5)) / 2e-5
        assert float(parameter.grad.view(-1)[7]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_half_precision_checkpoints_and_error_maps_follow(tmp_path):
    model, (clips, mask) = network(EVEN), batch(EVEN)
    expected = model.reconstruct(clips, mask)
    with torch.autocast("cpu", torch.bfloat16):
        half = model.reconstruct(clips, mask)
    torch.testing.assert_close(half.float(), expected, atol=0.1, rtol=0.1)
    save_checkpoint(tmp_path / "model.safetensors", Checkpoint(model, EVEN))
    loaded = load_checkpoint(tmp_path / "model.safetensors").model
    torch.testing.assert_close(loaded.reconstruct(clips, mask), expected)
    errors = reconstruction_error_map(
        model, clips, mask_ratio=0.75, normalize=True, convention="mae", rounds=1
    )
    assert errors.shape == (2, 1, 8, 8)
    assert torch.isfinite(errors).all()


def test_masked_pass_costs_a_quarter():
    """Beside the decoder, whose cost is its own; windows as large as the grid cost less than a quarter."""
    objective = ObjectiveSettings.model_validate({"name": "mae"})
    settings = SwinSettings.model_validate(
        EVEN.model_dump() | {"image_size": 64, "window": 4, "patch": 8, "num_classes": 2}
    )
    simmim = settings.model_copy(update={"uniform_masking": None})
    tokens, hidden, width = 16, 64 - 12, 16
    values, split = settings.patch_values, settings.last_width
    sequence = tokens + hidden
    block = sequence * width * (4 * width + 2 * 4 * width) + 2 * sequence**2 * width
    decoder = tokens * split * split + tokens * split * width + block + hidden * width * values
    predict = 64 * settings.last_width * settings.stride**2 * 3
    compact = count_multiply_adds(settings, objective) - decoder
    assert compact == (count_multiply_adds(simmim, objective) - predict) / 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 36}, "the grid has 9 patches a side .patch 4.: take a patch that makes it even"),
        ({"image_size": 64, "patch": 16}, "8 pixels a side: take a patch that divides them, patch is 16"),
        (
            {"image_size": 8, "patch": 4},
            "makes a picture of 4 pixels a side, a cell of the last stage has 8: take a smaller embed_patch",
        ),
        (
            {"uniform_masking": {"decoder": {"width": 6, "heads": 2}}},
            "decoder width 6 is not a multiple of 4",
        ),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        SwinSettings.model_validate(EVEN.model_dump() | changes)


def test_another_ratio_is_refused():
    data = Cifar(kind="cifar", root="cifar")
    with pytest.raises(ValidationError, match=r"objective.mask_ratio is 0.6: set it to 0.75"):
        Experiment(model=EVEN, data=data, objective=ObjectiveSettings(mask_ratio=0.6))


def test_what_was_hidden_less_often_is_hidden_first():
    generator = torch.Generator().manual_seed(0)
    times_hidden = torch.zeros(64)
    for _ in range(4):
        mask = uniform_mask(1, (1, 8, 8), 0.25, generator, "cpu", times_hidden)[0]
        assert mask.reshape(4, 2, 4, 2).float().sum(dim=(1, 3)).min() >= 3
        times_hidden += mask
    assert times_hidden.min() >= 3
