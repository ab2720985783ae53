"""Attention that is read and summed, against attention written by hand and loops over numbers."""

import numpy as np
import pytest
import torch

from deepfake_ssat.analysis.attention import (
    attention_distances,
    attention_received,
    cell_distances,
    looked_at,
)
from deepfake_ssat.analysis.blocks import watched_tokens, watched_weights
from deepfake_ssat.models.attention import SelfAttention
from deepfake_ssat.models.blocks import TokenBlocks
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from tests.models.tiny import IMAGE, VIDEO

ROW_OF_THREE = TokenBlocks((), (1, 1, 3), tubelet=1, patch=16)


def test_weights_by_hand_one_query_at_a_time():
    torch.manual_seed(0)
    attention = SelfAttention(12, heads=3, qkv_bias="qv")
    torch.nn.init.normal_(attention.q_bias)
    tokens = torch.randn(1, 5, 12)
    found = attention.weights(tokens)[0].detach().numpy()
    matrix, inputs = attention.qkv.weight.detach().numpy(), tokens[0].numpy()
    queries = inputs @ matrix[:12].T + attention.q_bias.detach().numpy()
    keys = inputs @ matrix[12:24].T
    for head in range(3):
        part = slice(4 * head, 4 * head + 4)
        for query in range(5):
            powers = np.exp([queries[query, part] @ keys[key, part] / 2.0 for key in range(5)])
            np.testing.assert_allclose(found[head, query], powers / powers.sum(), atol=1e-5)


@pytest.mark.parametrize("bias", ["qkv", "qv", "none"])
def test_weights_are_those_that_forward_uses(bias):
    torch.manual_seed(1)
    attention = SelfAttention(12, heads=2, qkv_bias=bias)
    tokens = torch.randn(2, 7, 12)
    values = attention._query_key_value(tokens)[2]
    mixed = (attention.weights(tokens) @ values).transpose(1, 2).flatten(2)
    torch.testing.assert_close(attention.projection(mixed), attention(tokens))


def test_received_is_the_column_sum_and_one_where_all_receive_the_same():
    equal = torch.full((1, 2, 4, 4), 0.25)
    torch.testing.assert_close(attention_received(equal), torch.ones(1, 4))
    one_sided = torch.zeros(1, 1, 4, 4)
    one_sided[..., 2] = 1.0
    assert attention_received(one_sided).tolist() == [[0.0, 0.0, 4.0, 0.0]]
    both = torch.cat([equal[:, :1], one_sided], dim=1)
    assert attention_received(both).tolist() == [[0.5, 0.5, 2.5, 0.5]]


def test_distance_of_attention_written_by_hand():
    pixels, _ = cell_distances(ROW_OF_THREE)
    self_only = torch.eye(3)
    next_one = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    half = torch.tensor([[0.5, 0.0, 0.5], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    weights = torch.stack([self_only, next_one, half])[None]
    # Patches of 16 pixels: nobody looks away; 16 + 16 + 32 over three; half of 32, then nobody, over three.
    torch.testing.assert_close(attention_distances(weights, pixels)[0], torch.tensor([0.0, 64 / 3, 16 / 3]))


def test_what_a_class_token_gets_is_no_distance():
    pixels, _ = cell_distances(ROW_OF_THREE)
    weights = torch.zeros(1, 1, 4, 4)
    weights[..., 0] = 0.5
    weights[0, 0, 1:, 3] = 0.5
    # Each patch gives half to the class token and half to the last patch: 32, 16 and 0 pixels away.
    assert attention_distances(weights, pixels).item() == pytest.approx(16.0)


def test_cells_are_apart_in_pixels_and_in_frames():
    pixels, frames = cell_distances(TokenBlocks((), (2, 2, 3), tubelet=2, patch=8))
    places = [(t, y, x) for t in range(2) for y in range(2) for x in range(3)]
    for first, (t, y, x) in enumerate(places):
        for second, (u, v, w) in enumerate(places):
            assert pixels[first, second].item() == pytest.approx(8 * np.hypot(y - v, x - w))
            assert frames[first, second].item() == 2 * abs(t - u)


def test_a_map_is_the_class_tokens_row_or_what_all_look_at():
    weights = torch.rand(1, 2, 5, 5).softmax(dim=-1)
    torch.testing.assert_close(looked_at(weights, 4), weights[:, :, 0, 1:].mean(dim=1))
    torch.testing.assert_close(looked_at(weights, 5), weights.sum(dim=2).mean(dim=1))


@pytest.mark.parametrize("settings", [IMAGE, VIDEO])
def test_looking_changes_nothing_and_ends(settings):
    torch.manual_seed(2)
    network = MaskedAutoencoder(settings).eval()
    blocks = network.token_blocks().blocks
    clips = torch.randn(2, 3, settings.frames, 32, 32)
    seen, tokens = [], []
    with torch.inference_mode():
        before = network.classify(clips)
        with (
            watched_weights(blocks, lambda *found: seen.append(found)),
            watched_tokens(blocks, lambda *found: tokens.append(found)),
        ):
            during = network.classify(clips)
        network.classify(clips)
    assert torch.equal(before, during)
    size = settings.num_tokens + (settings.pooling == "class_token")
    assert [number for number, _ in seen] == [0, 0, 1, 1, 2, 2]
    assert {tuple(weights.shape) for _, weights in seen} == {(1, 4, size, size)}
    assert [number for number, _ in tokens] == [0, 1, 2]
    for _, weights in seen:
        torch.testing.assert_close(weights.sum(dim=-1), torch.ones(1, 4, size))


def test_locality_attention_is_read_as_it_is_used():
    torch.manual_seed(3)
    attention = SelfAttention(12, heads=2, qkv_bias="qkv", locality=True)
    tokens = torch.randn(1, 6, 12)
    weights = attention.weights(tokens)
    assert weights.diagonal(dim1=-2, dim2=-1).max() == 0.0
    mixed = (weights @ attention._query_key_value(tokens)[2]).transpose(1, 2).flatten(2)
    torch.testing.assert_close(attention.projection(mixed), attention(tokens))
