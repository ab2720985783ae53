import numpy as np
import pytest
import torch

from deepfake_ssat.models import attention
from deepfake_ssat.models.attention import (
    SelfAttention,
    attend,
    attend_by_head,
    attend_by_products,
    attend_fused,
)


def random_heads(length: int, dtype=torch.float32, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(2, 3, length, 8, generator=generator).to(dtype) for _ in range(3)]


def attention_by_hand(query, key, value) -> np.ndarray:
    scores = np.einsum("bhne,bhme->bhnm", query, key) / np.sqrt(query.shape[-1])
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    heads = np.einsum("bhnm,bhme->bnhe", weights, value)
    return heads.reshape(*heads.shape[:2], -1)


PATHS = [attend_fused, attend_by_products, attend_by_head]


@pytest.mark.parametrize("path", PATHS)
def test_every_path_gives_the_textbook_attention(path):
    heads = random_heads(20)
    expected = attention_by_hand(*(part.double().numpy() for part in heads))
    np.testing.assert_allclose(path(*heads).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("path", PATHS)
def test_paths_agree_in_bf16_within_its_rounding(path):
    exact = attend_fused(*random_heads(64))
    rounded = path(*random_heads(64, torch.bfloat16))
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), exact, atol=2e-2, rtol=2e-2)


@pytest.mark.parametrize("path", PATHS)
def test_paths_have_the_same_gradients(path):
    gradients = []
    for function in (attend_fused, path):
        heads = [part.requires_grad_() for part in random_heads(16)]
        function(*heads).square().sum().backward()
        gradients.append([part.grad for part in heads])
    for fused, other in zip(*gradients, strict=True):
        torch.testing.assert_close(fused, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("length", "dtype", "expected"),
    [
        (1024, torch.bfloat16, attend_by_head),
        (157, torch.bfloat16, attend_by_products),
        (1024, torch.float32, attend_fused),
    ],
)
def test_path_depends_on_type_and_length(monkeypatch, length, dtype, expected):
    for path in PATHS:
        monkeypatch.setattr(attention, path.__name__, lambda *heads, path=path: path)
    assert attend(*random_heads(length, dtype)) is expected


def test_key_bias_never_changes_the_output():
    module = SelfAttention(16, 2, "qkv")
    tokens = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0))
    before = module(tokens)
    with torch.no_grad():
        module.qkv.bias[16:32] += 3.0
    torch.testing.assert_close(module(tokens), before, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("bias", "names"), [("qv", {"q_bias", "v_bias"}), ("none", set()), ("qkv", {"qkv.bias"})]
)
def test_qkv_bias_names_what_is_trained(bias, names):
    parameters = {name for name, _ in SelfAttention(16, 2, bias).named_parameters()}
    assert parameters == names | {"qkv.weight", "projection.weight", "projection.bias"}
