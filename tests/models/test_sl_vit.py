"""SL-ViT (Lee et al. 2021) against its definition: pixels counted by hand, attention as loops in numpy."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from deepfake_ssat.config import load_experiment
from deepfake_ssat.models.attention import SelfAttention
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.models.patches import tube_mask, with_shifted_copies
from tests.config.test_configs import FOLDER
from tests.models.tiny import ENCODER, IMAGE, changed

SL = changed(IMAGE, encoder=ENCODER.model_copy(update={"shifted_patches": True, "locality_attention": True}))


def softmax(values):
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def test_copies_are_moved_towards_the_four_corners():
    picture = np.arange(1, 17, dtype=np.float32).reshape(4, 4)
    copies = with_shifted_copies(torch.from_numpy(picture)[None, None, None], 1)[0, :, 0].numpy()
    assert (copies[0] == picture).all()
    for copy, (down, right) in zip(copies[1:], ((1, 1), (1, -1), (-1, 1), (-1, -1)), strict=True):
        for row in range(4):
            for column in range(4):
                source = (row - down, column - right)
                inside = 0 <= source[0] < 4 and 0 <= source[1] < 4
                assert copy[row, column] == (picture[source] if inside else 0.0)


def test_token_is_a_normalised_patch_of_the_picture_and_its_copies():
    torch.manual_seed(0)
    encoder = MaskedAutoencoder(SL).encoder
    clip = torch.randn(1, 3, 1, 32, 32)
    padded = np.zeros((3, 40, 40), dtype=np.float32)
    padded[:, 4:36, 4:36] = clip[0, :, 0].numpy()
    row, column = 1, 2
    values = []
    for y in range(8):
        for x in range(8):
            for down, right in ((0, 0), (4, 4), (4, -4), (-4, 4), (-4, -4)):
                values += padded[:, 4 + 8 * row + y - down, 4 + 8 * column + x - right].tolist()
    values = np.array(values)
    values = (values - values.mean()) / np.sqrt(values.var() + 1e-5)
    weight, bias = (value.detach().numpy() for value in encoder.patch_embed.parameters())
    expected = weight @ values + bias + encoder.positions[0, 4 * row + column].numpy()
    token = encoder._embed(clip, None)[0, 1 + 4 * row + column].detach().numpy()
    np.testing.assert_allclose(token, expected, atol=1e-5)


def test_locality_attention_is_its_definition():
    torch.manual_seed(0)
    attention = SelfAttention(12, 3, "none", locality=True)
    assert attention.scale.tolist() == pytest.approx([0.5] * 3)  # 1 / sqrt(12 / 3)
    with torch.no_grad():
        attention.scale.copy_(torch.tensor([0.4, 0.5, 1.2]))
    tokens = torch.randn(2, 5, 12)
    query, key, value = (
        (tokens.numpy() @ attention.qkv.weight.detach().numpy().T)
        .reshape(2, 5, 3, 3, 4)
        .transpose(2, 0, 3, 1, 4)
    )
    heads = []
    for head, scale in enumerate((0.4, 0.5, 1.2)):
        scores = scale * query[:, head] @ key[:, head].transpose(0, 2, 1)
        scores[:, np.arange(5), np.arange(5)] = -np.inf
        heads.append(softmax(scores) @ value[:, head])
    projection = attention.projection
    expected = np.concatenate(heads, axis=-1) @ projection.weight.detach().numpy().T
    expected += projection.bias.detach().numpy()
    np.testing.assert_allclose(attention(tokens).detach().numpy(), expected, atol=1e-5)


def test_nothing_of_hidden_patches_reaches_the_decoder():
    torch.manual_seed(0)
    model = MaskedAutoencoder(SL).eval()
    clips = torch.randn(2, 3, 1, 32, 32)
    mask = tube_mask(2, SL.grid, 0.75, torch.Generator().manual_seed(0), "cpu")
    hidden = mask.reshape(2, 1, 1, 4, 1, 4, 1).expand(2, 3, 1, 4, 8, 4, 8).reshape(clips.shape)
    disturbed = torch.where(hidden, torch.randn(clips.shape), clips)
    torch.testing.assert_close(model.reconstruct(clips, mask), model.reconstruct(disturbed, mask))
    assert not torch.allclose(model.classify(clips), model.classify(disturbed))


def test_every_weight_of_the_encoder_has_a_layer_and_temperatures_do_not_decay():
    model = MaskedAutoencoder(SL)
    numbers = model.layer_numbers()
    assert {numbers[f"encoder.patch_norm.{name}"] for name in ("weight", "bias")} == {0}
    assert numbers["encoder.blocks.1.attention.scale"] == 2
    assert model.encoder.blocks[1].attention.scale.ndim == 1


def test_configuration_has_the_papers_2_8_million_weights():
    model = MaskedAutoencoder(load_experiment(FOLDER / "image_sl_vit_cifar10.yaml").model)
    model.drop_decoder()
    assert sum(parameter.numel() for parameter in model.parameters()) == pytest.approx(2.8e6, rel=0.03)


def test_half_a_patch_of_one_pixel_is_refused():
    encoder = {**ENCODER.model_dump(), "shifted_patches": True}
    with pytest.raises(ValidationError, match="shifts by half a patch, patch is 1"):
        changed(IMAGE, image_size=4, patch=1, encoder=encoder)
