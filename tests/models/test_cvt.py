"""CvT: parity with Hugging Face, what its decoder may see, masked statistics, sizes, initial weights."""

import re

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from deepfake_ssat.config import CvtSettings, DecoderSettings, ObjectiveSettings
from deepfake_ssat.models.checkpoint import Checkpoint, save_checkpoint
from deepfake_ssat.models.cvt_encoder import MaskedBatchNorm
from deepfake_ssat.models.kinds import build_network, load_initial
from deepfake_ssat.models.patches import patchify, tube_mask, unpatchify
from deepfake_ssat.objectives import OBJECTIVES
from deepfake_ssat.training.optim import freeze_unused
from tests.models import refusals

SMALL = CvtSettings(
    image_size=32,
    patch=8,
    widths=(12, 24),
    depths=(1, 2),
    heads=(1, 3),
    kernels=(7, 3),
    strides=(4, 2),
    paddings=(2, 1),
    num_classes=5,
    decoder=DecoderSettings(width=16, depth=1, heads=2),
)
"""8 and 4 cells a side, 4 and 2 keys; 4 x 4 hidden patches of 8 x 8 pixels."""


def network(settings=SMALL, seed=0):
    """Every weight and running statistic random, so that nothing hides behind 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model = build_network(settings).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
        for name, buffer in model.named_buffers():
            if name.endswith(("_mean", "_var")):
                buffer.add_(torch.rand(buffer.shape, generator=generator))
    return model


def batch(settings=SMALL, count=2):
    generator = torch.Generator().manual_seed(1)
    shape = (count, settings.channels, 1, settings.image_size, settings.image_size)
    return torch.randn(shape, generator=generator), tube_mask(count, settings.grid, 0.75, generator, "cpu")


@pytest.fixture(scope="module")
def published():
    """Hugging Face's CvT of the same sizes, and of CvT-13's, with random weights and statistics."""
    transformers = pytest.importorskip("transformers")

    def build(settings):
        stages = len(settings.depths)
        repeated = ("qkv_bias", "kernel_qkv", "padding_kv", "stride_kv", "padding_q", "stride_q")
        defaults = transformers.CvtConfig()
        config = transformers.CvtConfig(
            num_labels=settings.num_classes,
            patch_sizes=settings.kernels,
            patch_stride=settings.strides,
            patch_padding=settings.paddings,
            embed_dim=settings.widths,
            num_heads=settings.heads,
            depth=settings.depths,
            mlp_ratio=[settings.mlp_ratio] * stages,
            cls_token=[False] * (stages - 1) + [True],
            qkv_projection_method=["dw_bn"] * stages,
            attention_drop_rate=[0.0] * stages,
            drop_rate=[0.0] * stages,
            drop_path_rate=[0.0] * stages,
            **{name: [getattr(defaults, name)[0]] * stages for name in repeated},
        )
        return transformers.CvtForImageClassification(config).eval()

    return build


def randomized(model, seed=3):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in [*model.parameters(), *model.buffers()]:
            if value.is_floating_point():
                value.add_(torch.rand(value.shape, generator=generator) * 0.2)
    return model


def authors_names(weights):
    """Hugging Face's names -> those of the authors' release, as its conversion maps them."""
    pairs = (
        (r"^cvt\.encoder\.stages\.(\d+)\.layers\.", r"stage\1.blocks."),
        (r"^cvt\.encoder\.stages\.(\d+)\.", r"stage\1."),
        (r"embedding\.convolution_embeddings\.projection", "patch_embed.proj"),
        (r"embedding\.convolution_embeddings\.normalization", "patch_embed.norm"),
        (
            r"attention\.attention\.convolution_projection_(.)\w+\.convolution_projection",
            r"attn.conv_proj_\1",
        ),
        (r"attention\.attention\.projection_(.)[a-z]+", r"attn.proj_\1"),
        (r"(attn\.conv_proj_.)\.convolution", r"\1.conv"),
        (r"(attn\.conv_proj_.)\.normalization", r"\1.bn"),
        (r"attention\.output\.dense", "attn.proj"),
        (r"intermediate\.dense", "mlp.fc1"),
        (r"output\.dense", "mlp.fc2"),
        (r"layernorm_before", "norm1"),
        (r"layernorm_after", "norm2"),
        (r"^layernorm", "norm"),
        (r"^classifier", "head"),
    )
    renamed = {}
    for name, value in weights.items():
        for pattern, replacement in pairs:
            name = re.sub(pattern, replacement, name)
        renamed[name] = value
    return renamed


@pytest.mark.parametrize("names", [dict, authors_names], ids=["hugging_face", "authors"])
def test_logits_are_the_published_networks(names, published, tmp_path):
    theirs, model = randomized(published(SMALL)), network()
    torch.save(names(theirs.state_dict()), tmp_path / "cvt.pth")
    report = load_initial(model, tmp_path / "cvt.pth")
    assert report[1:] == ["decoder: left as initialised, the file has no complete one"]
    clips, _ = batch()
    with torch.inference_mode():
        expected = theirs(clips[:, :, 0]).logits
        torch.testing.assert_close(model(clips), expected, atol=1e-4, rtol=1e-4)
    assert expected.std() > 0.01


def test_the_defaults_are_cvt_13(published):
    with torch.device("meta"):
        ours, theirs = build_network(CvtSettings(num_classes=1000)), published(CvtSettings(num_classes=1000))
    count = sum(value.numel() for name, value in ours.named_parameters() if not name.startswith("decoder."))
    assert count == sum(value.numel() for value in theirs.parameters())
    assert count / 1e6 == pytest.approx(20.0, abs=0.05)


def test_outputs_have_the_promised_shapes():
    model, (clips, mask) = network(), batch()
    logits, predictions = model.classify_and_reconstruct(clips, mask)
    assert logits.shape == (2, 5)
    assert predictions.shape == (2, 12, SMALL.patch_values)
    torch.testing.assert_close(model.reconstruct(clips, mask), predictions)
    assert model.evidence_map(clips).shape == (2, 1, 4, 4)


def test_stages_are_joined_cell_by_cell_before_the_decoder():
    """ConvMAE adds to a last cell what lies in it of each earlier stage, by one matrix; then the norm."""
    settings = CvtSettings.model_validate(
        SMALL.model_dump()
        | {"widths": (8, 12, 24), "depths": (1, 1, 1), "heads": (1, 1, 3)}
        | {"kernels": (3, 3, 3), "strides": (2, 2, 2), "paddings": (1, 1, 1)}
    )
    decoder = network(settings).decoder
    generator = torch.Generator().manual_seed(2)
    maps = [torch.randn(2, 8, 16, 16, generator=generator), torch.randn(2, 12, 8, 8, generator=generator)]
    tokens, (_, mask) = torch.randn(2, 16, 24, generator=generator), batch(settings)
    seen = {}
    decoder.transformer.forward = lambda *inputs: seen.update(inputs=inputs)
    decoder(maps, tokens, mask)
    expected = torch.empty(2, 4, 24)
    for number in range(2):
        for place, index in enumerate((~mask[number]).nonzero().flatten().tolist()):
            row, column = divmod(index, 4)
            summed = tokens[number, index].clone()
            for join, cells in zip(decoder.joins, maps, strict=True):
                side = cells.shape[-1] // 4
                below = cells[number, :, side * row : side * (row + 1), side * column : side * (column + 1)]
                summed += join.weight.flatten(1) @ below.flatten() + join.bias
            expected[number, place] = nn.functional.layer_norm(
                summed, (24,), decoder.norm.weight, decoder.norm.bias
            )
    given, visible, hidden = seen["inputs"]
    torch.testing.assert_close(given, expected)
    for number in range(2):
        assert visible[number].tolist() == (~mask[number]).nonzero().flatten().tolist()
        assert hidden[number].tolist() == mask[number].nonzero().flatten().tolist()


@pytest.mark.parametrize("training", [False, True])
def test_reconstruction_never_sees_hidden_pixels(training):
    model, (clips, mask) = network().train(training), batch()
    patches = patchify(clips, 1, SMALL.patch)
    patches[mask] = 100.0
    disturbed = unpatchify(patches, SMALL.grid, 1, SMALL.patch)
    before, after = (model.classify_and_reconstruct(pictures, mask) for pictures in (clips, disturbed))
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[1], after[1])
    assert not torch.allclose(model.classify(clips), model.classify(disturbed))
    patches[mask], patches[~mask] = 0.0, 100.0
    others = unpatchify(patches, SMALL.grid, 1, SMALL.patch)
    assert not torch.allclose(model.reconstruct(others, mask), before[1])


def test_masked_pass_that_hides_nothing_is_the_whole_pass():
    model, (clips, _) = network(), batch()
    for module in model.modules():
        if isinstance(module, MaskedBatchNorm):
            module.masked_mean.copy_(module.running_mean)
            module.masked_var.copy_(module.running_var)
    visible = torch.ones(2, SMALL.num_tokens, dtype=torch.bool)
    for whole, masked in zip(
        model.encoder(clips[:, :, 0])[0] + [model.encoder(clips[:, :, 0])[1]],
        model.encoder(clips[:, :, 0], visible)[0] + [model.encoder(clips[:, :, 0], visible)[1]],
        strict=True,
    ):
        torch.testing.assert_close(masked, whole)


def test_keys_that_saw_nothing_are_not_attended_to():
    model, (clips, mask) = network(), batch()
    mask = torch.ones(2, 4, 4, dtype=torch.bool)
    mask[:, 0, 0] = False
    expected = model.reconstruct(clips, mask.flatten(1))
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, MaskedBatchNorm):
                # Of the last stage's 2 x 2 keys only the first is reached; changing what the rest would
                # hold through a hook must change nothing.
                module.register_forward_hook(_disturb_unreached)
    torch.testing.assert_close(model.reconstruct(clips, mask.flatten(1)), expected)


def _disturb_unreached(module, inputs, output):
    shown = inputs[1]
    return output if shown.shape[-1] == 8 else torch.where(shown, output, 50.0)


def test_masked_statistics_are_those_of_visible_places():
    norm = MaskedBatchNorm(3).train()
    cells = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    shown = torch.zeros(2, 1, 4, 4, dtype=torch.bool)
    shown[0, :, :2], shown[1, :, 3:] = True, True
    values = torch.cat([cells[0, :, :2].flatten(1), cells[1, :, 3:].flatten(1)], dim=1)
    normalized = norm(cells, shown)
    chosen = torch.cat([normalized[0, :, :2].flatten(1), normalized[1, :, 3:].flatten(1)], dim=1)
    expected = nn.BatchNorm1d(3).train()
    torch.testing.assert_close(chosen, expected(values.T).T)
    torch.testing.assert_close(norm.masked_mean, expected.running_mean)
    torch.testing.assert_close(norm.masked_var, expected.running_var)
    assert norm.running_mean.eq(0).all()
    norm(cells)
    torch.testing.assert_close(norm.masked_mean, expected.running_mean)
    torch.testing.assert_close(norm.running_mean, 0.1 * cells.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(norm.eval()(cells, shown), expected.eval()(cells.flatten(2)).view_as(cells))


@pytest.mark.parametrize("name", ["scratch", "mae", "ssat", "supmae"])
def test_every_weight_that_an_objective_trains_gets_a_gradient(name):
    model, objective = network().train(), ObjectiveSettings.model_validate({"name": name})
    freeze_unused(model, objective)
    clips, _ = batch()
    labels = torch.tensor([0, 4])
    OBJECTIVES[name](model, clips, labels, objective, None, torch.Generator().manual_seed(0)).total.backward()
    for name, value in model.named_parameters():
        assert (value.grad is not None) == value.requires_grad, name


def test_layers_are_blocks_over_all_stages():
    model = network()
    numbers = model.layer_numbers()
    assert numbers["encoder.stages.0.projection.weight"] == 0
    assert numbers["encoder.stages.0.blocks.0.mlp.fc1.weight"] == 0
    assert numbers["encoder.stages.1.projection.weight"] == numbers["encoder.class_token"] == 1
    assert numbers["encoder.stages.1.blocks.1.attention.key.norm.bias"] == 2
    assert all(name in numbers for name, _ in model.named_parameters() if name.startswith("encoder."))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": 2}, "frames is 2, this network reads single pictures"),
        ({"image_size": 28}, "image_size 28 is not a multiple of patch 8"),
        ({"patch": 16}, r"patch is 16, a cell of the last stage has 8 pixels a side .* set model.patch to 8"),
        ({"paddings": (0, 1)}, "kernel 7, stride 4 and padding 0 do not make 8 cells of 32"),
        ({"depths": (1,)}, r"depths \(1,\) must hold 2 numbers, as widths does, of at least 1"),
        ({"heads": (5, 3)}, "width 12 is not a multiple of its heads 5"),
        ({"decoder": {"width": 6, "heads": 2}}, "decoder width 6 is not a multiple of 4"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        CvtSettings.model_validate(SMALL.model_dump() | changes)


def test_clips_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"the model reads \(batch, 3, 1, 32, 32\)"):
        network()(torch.zeros(1, 3, 1, 64, 64))


def test_fine_tuning_starts_from_the_checkpoint_of_pre_training_whatever_its_classes(tmp_path):
    before = network()
    after = network(CvtSettings.model_validate(SMALL.model_dump() | {"num_classes": 3}), seed=1)
    save_checkpoint(tmp_path / "mae.safetensors", Checkpoint(before, SMALL))
    report = load_initial(after, tmp_path / "mae.safetensors")
    assert report[1:] == ["head: left as initialised, head.weight is (5, 24) in the file and (3, 24) here"]
    clips, mask = batch()
    torch.testing.assert_close(after.reconstruct(clips, mask), before.reconstruct(clips, mask))


def test_file_of_other_sizes_is_refused(published, tmp_path):
    wider = CvtSettings.model_validate(SMALL.model_dump() | {"widths": (12, 48)})
    torch.save(published(wider).state_dict(), tmp_path / "cvt.pth")
    reason = refusals.refusal(load_initial, network(), tmp_path / "cvt.pth")
    assert "is (1, 1, 48), the model's is (1, 1, 24)" in reason
