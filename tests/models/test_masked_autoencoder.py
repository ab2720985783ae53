import pytest
import torch

from deepfake_ssat.models.blocks import drop_path
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.models.patches import patchify, tube_mask, unpatchify
from tests.models.tiny import HYBRID, IMAGE, VIDEO, changed


def make_model(settings, seed: int = 0) -> MaskedAutoencoder:
    torch.manual_seed(seed)
    return MaskedAutoencoder(settings).eval()


def make_batch(settings, batch: int = 2, ratio: float = 0.75):
    generator = torch.Generator().manual_seed(7)
    shape = (batch, settings.channels, settings.frames, settings.image_size, settings.image_size)
    return torch.randn(shape, generator=generator), tube_mask(batch, settings.grid, ratio, generator, "cpu")


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings", [VIDEO, IMAGE, HYBRID, changed(VIDEO, positions="sincos_3d", qkv_bias="none")]
)
def test_outputs_have_the_promised_shapes(settings):
    model = make_model(settings)
    clips, mask = make_batch(settings)
    hidden = int(mask[0].sum())
    logits, predictions = model.classify_and_reconstruct(clips, mask)
    assert model.classify(clips).shape == logits.shape == (2, 2)
    assert model.reconstruct(clips, mask).shape == predictions.shape == (2, hidden, settings.patch_values)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [VIDEO, IMAGE, HYBRID])
def test_reconstruction_never_sees_hidden_pixels(settings):
    model = make_model(settings)
    clips, mask = make_batch(settings)
    patches = patchify(clips, settings.tubelet, settings.patch)
    patches[mask] = 100.0
    disturbed = unpatchify(patches, settings.grid, settings.tubelet, settings.patch)
    torch.testing.assert_close(model.reconstruct(clips, mask), model.reconstruct(disturbed, mask))
    assert not torch.allclose(model.classify(clips), model.classify(disturbed))


def test_predictions_belong_to_the_hidden_positions_in_ascending_order():
    model = make_model(VIDEO)
    clips, _ = make_batch(VIDEO, batch=1)
    mask = torch.zeros(1, 32, dtype=torch.bool)
    mask[:, [3, 11, 20]] = True
    predictions = model.reconstruct(clips, mask)
    with torch.no_grad():
        model.decoder.positions[:, 11] += torch.randn(32, generator=torch.Generator().manual_seed(0))
    moved = (model.reconstruct(clips, mask) - predictions).abs().amax(dim=2)[0]
    assert moved.argmax() == 1


def test_mean_of_the_patch_tokens_leaves_the_class_token_out():
    model = make_model(changed(IMAGE, pooling="patch_mean"))
    clips, _ = make_batch(IMAGE)
    tokens = model.encoder.norm(model.encoder(clips))
    assert tokens.shape[1] == 1 + IMAGE.num_tokens
    expected = tokens[:, 1:].mean(dim=1) @ model.head.weight.T + model.head.bias
    torch.testing.assert_close(model.classify(clips), expected)


def test_head_of_two_layers_is_as_wide_as_the_encoders_mlp():
    # 768 x 4 = 3072 in ViT-B, SupMAE's own number.
    head = make_model(changed(IMAGE, head="mlp_batch_norm")).head
    assert [tuple(weight.shape) for weight in head.parameters()] == [
        (96, 48),
        (96,),
        (96,),
        (96,),
        (2, 96),
        (2,),
    ]


def test_one_pass_for_both_is_what_the_two_methods_give_alone():
    model = make_model(IMAGE)
    clips, mask = make_batch(IMAGE)
    logits, predictions = model.classify_and_reconstruct(clips, mask)
    torch.testing.assert_close(logits, model.classify_visible(clips, mask))
    torch.testing.assert_close(predictions, model.reconstruct(clips, mask))


def test_clips_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"the model reads \(batch, 3, 4, 32, 32\)"):
        make_model(VIDEO).classify(torch.zeros(1, 3, 6, 32, 32))


def test_model_without_decoder_classifies_and_does_not_reconstruct():
    model = make_model(VIDEO)
    clips, mask = make_batch(VIDEO)
    before = model.classify(clips)
    model.drop_decoder()
    assert torch.equal(model.classify(clips), before)
    with pytest.raises(ValueError, match="dropped"):
        model.reconstruct(clips, mask)


def test_published_sizes_are_reached():
    # ViT-S/16 with tubelets of 2 frames has 22 M parameters.
    settings = changed(VIDEO, frames=16, image_size=224, patch=16, encoder={"preset": "small"})
    with torch.device("meta"):
        model = MaskedAutoencoder(settings)
    encoder = sum(value.numel() for value in model.encoder.parameters())
    biases_and_norms = (2 + 1 + 4 + 1) + 2 * 2  # query and value, projection, MLP; two norms
    blocks = 12 * (12 * 384 * 384 + biases_and_norms * 384)
    assert encoder == blocks + 1536 * 384 + 384 + 2 * 384
    assert settings.num_tokens == 1568


def test_drop_path_drops_whole_clips_and_keeps_the_mean():
    torch.manual_seed(0)
    dropped = drop_path(torch.ones(4000, 2, 3), 0.25)
    kept = dropped[:, 0, 0] != 0
    assert (dropped == dropped[:, :1, :1]).all()
    assert kept.float().mean() == pytest.approx(0.75, abs=0.03)
    torch.testing.assert_close(dropped[kept], torch.full_like(dropped[kept], 1 / 0.75))


def test_drop_path_grows_with_depth_and_rests_in_evaluation():
    settings = changed(VIDEO, encoder=VIDEO.encoder.model_dump() | {"drop_path": 0.4})
    model = make_model(settings)
    assert [block.drop_path for block in model.encoder.blocks] == pytest.approx([0.0, 0.2, 0.4])
    clips, _ = make_batch(settings)
    assert torch.equal(model.classify(clips), model.classify(clips))
    model.train()
    assert not torch.equal(model.classify(clips), model.classify(clips))


def test_bf16_weights_give_nearly_the_same_logits():
    model = make_model(VIDEO)
    clips, _ = make_batch(VIDEO)
    expected = model.classify(clips)
    actual = model.bfloat16().classify(clips.bfloat16()).float()
    torch.testing.assert_close(actual, expected, atol=0.05, rtol=0.05)
