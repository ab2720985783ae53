"""Multi-head self-attention: the fused kernel, or plain matrix products where they are faster.

B batch, N tokens, D width, h heads, E = D / h.
"""

from __future__ import annotations

from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

QkvBias = Literal["qkv", "qv", "none"]

LONG_SEQUENCE = 1024
"""Tokens from which, on CPUs in bf16, one head at a time beats all at once (tools/benchmarks/model.py)."""


class SelfAttention(nn.Module):
    """Attention of every token to every token; ``qkv_bias`` names the projections that have a bias.

    With ``locality`` of every token to every other one, at a temperature that each head learns (SL-ViT).
    """

    def __init__(self, width: int, heads: int, qkv_bias: QkvBias, *, locality: bool = False):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=qkv_bias == "qkv")
        if qkv_bias == "qv":
            self.q_bias = nn.Parameter(torch.zeros(width))
            self.v_bias = nn.Parameter(torch.zeros(width))
        self.qkv_bias = qkv_bias
        self.projection = nn.Linear(width, width)
        self.scale = nn.Parameter(torch.full((heads,), (width // heads) ** -0.5)) if locality else None

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        bias = self.qkv.bias
        if self.qkv_bias == "qv":
            bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        qkv = F.linear(tokens, self.qkv.weight, bias)
        query, key, value = rearrange(qkv, "b n (three h e) -> three b h n e", three=3, h=self.heads)
        if self.scale is not None:
            return self.projection(attend_to_others(query, key, value, self.scale))
        return self.projection(attend(query, key, value))


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """(B, h, N, E) each -> (B, N, h E), by the fastest of three paths to the same result.

    On CPUs in bf16 torch's fused kernel takes more than half of a ViT's time; plain matrix products and a
    softmax are faster, per head where all heads' weights would not fit into the cache. Everywhere else, in
    fp32 and on accelerators, the fused kernel is the best.
    """
    if query.device.type != "cpu" or query.dtype != torch.bfloat16:
        return attend_fused(query, key, value)
    if query.shape[-2] < LONG_SEQUENCE:
        return attend_by_products(query, key, value)
    return attend_by_head(query, key, value)


def attend_to_others(query: Tensor, key: Tensor, value: Tensor, scale: Tensor) -> Tensor:
    """(B, h, N, E) each, (h,) -> (B, N, h E): SL-ViT's locality self-attention (Lee et al. 2021).

    Scores are multiplied by their head's scale, and those of a token with itself do not count.
    """
    scores = (query * scale.to(query.dtype)[:, None, None]) @ key.transpose(-1, -2)
    itself = torch.eye(query.shape[-2], dtype=torch.bool, device=query.device)
    # The smallest number and not -inf: a token that is alone attends to itself.
    weights = scores.masked_fill(itself, torch.finfo(scores.dtype).min).softmax(dim=-1)
    return rearrange(weights.to(value.dtype) @ value, "b h n e -> b n (h e)")


def attend_fused(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """(B, h, N, E) each -> (B, N, h E), through ``scaled_dot_product_attention``."""
    return rearrange(F.scaled_dot_product_attention(query, key, value), "b h n e -> b n (h e)")


def attend_by_products(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """(B, h, N, E) each -> (B, N, h E), all heads of all clips at once."""
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    return rearrange(scores.softmax(dim=-1) @ value, "b h n e -> b n (h e)")


def attend_by_head(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """(B, h, N, E) each -> (B, N, h E), one head of one clip at a time: its N x N weights stay in cache."""
    query = query * query.shape[-1] ** -0.5
    clips = []
    for clip_query, clip_key, clip_value in zip(query, key, value, strict=True):
        heads = [
            (head_query @ head_key.T).softmax(dim=-1) @ head_value
            for head_query, head_key, head_value in zip(clip_query, clip_key, clip_value, strict=True)
        ]
        clips.append(torch.cat(heads, dim=-1))
    return torch.stack(clips)
