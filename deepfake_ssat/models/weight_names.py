"""Names of published MAE and VideoMAE weights, in the authors' and Hugging Face's spelling -> our names.

D encoder or decoder width.
"""

from __future__ import annotations

import re

import torch
from torch import Tensor

# Applied one after the other. HF: Hugging Face, of which both the names on disk and those of transformers 5.
_RENAMES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"^(?:module\.|model\.|_orig_mod\.|backbone\.)+", ""),
        (r"^(?:videomae|vit)\.", ""),  # HF's name of the backbone
        (r"^embeddings\.patch_embeddings\.projection\.", "encoder.patch_embed."),
        (r"^embeddings\.cls_token$", "encoder.class_token"),
        (r"^embeddings\.position_embeddings$", "encoder.positions"),
        (r"^(?:encoder\.layer|layers)\.", "encoder.blocks."),
        (r"^decoder\.(?:decoder_layers|decoder_encoder\.layer)\.", "decoder.blocks."),
        (r"^layernorm\.", "encoder.norm."),
        (r"^classifier\.", "head."),
        (r"^(?:encoder\.)?patch_embed\.proj\.", "encoder.patch_embed."),  # MAE; VideoMAE with encoder.
        (r"^(?:encoder\.)?cls_token$", "encoder.class_token"),
        (r"^(?:encoder\.)?pos_embed$", "encoder.positions"),
        (r"^blocks\.", "encoder.blocks."),
        (r"^norm\.", "encoder.norm."),
        (r"^fc_norm\.", "head_norm."),
        (r"^mask_token$", "decoder.mask_token"),
        (r"^encoder_to_decoder\.", "decoder.embed."),  # VideoMAE
        (r"^decoder_blocks\.", "decoder.blocks."),  # MAE
        (r"^(?:decoder\.)?decoder_(embed|norm)\.", r"decoder.\1."),
        (r"^(?:decoder\.)?decoder_pred\.", "decoder.predict."),
        (r"^(?:decoder\.)?decoder_pos_embed$", "decoder.positions"),
        (r"^decoder\.head\.", "decoder.predict."),
        (r"\.layernorm_before\.", ".norm1."),  # within a block
        (r"\.layernorm_after\.", ".norm2."),
        (r"\.attn\.proj\.", ".attention.projection."),
        (r"\.attn\.", ".attention."),
        (r"\.attention\.attention\.", ".attention."),
        (r"\.attention\.(?:output\.dense|o_proj)\.", ".attention.projection."),
        (r"\.attention\.(?:query|q_proj)\.", ".attention.q."),
        (r"\.attention\.(?:key|k_proj)\.", ".attention.k."),
        (r"\.attention\.(?:value|v_proj)\.", ".attention.v."),
        (r"\.attention\.([qkv])\.bias$", r".attention.\1_bias"),
        (r"\.intermediate\.dense\.", ".mlp.fc1."),
        (r"(\.blocks\.\d+)\.output\.dense\.", r"\1.mlp.fc2."),
    )
)


def our_name(name: str) -> str:
    """Our name of a weight; a name of ours, and one that nobody knows, comes back unchanged."""
    for pattern, replacement in _RENAMES:
        name = pattern.sub(replacement, name)
    return name


def our_weights(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Renames all weights, joins query, key and value matrices (3 D, D), and splits a joint bias in three.

    Afterwards an attention has ``qkv.weight``, and of ``q_bias``, ``k_bias``, ``v_bias`` those it came with.
    """
    renamed = {our_name(name): value for name, value in weights.items()}
    ours = {}
    for name, value in renamed.items():
        stem, _, last = name.rpartition(".attention.")
        if last == "q.weight":
            parts = [renamed.get(f"{stem}.attention.{part}.weight") for part in "qkv"]
            if not any(part is None for part in parts):
                ours[f"{stem}.attention.qkv.weight"] = torch.cat([part for part in parts if part is not None])
        elif last == "qkv.bias":
            for part, bias in zip("qkv", value.chunk(3), strict=True):
                ours[f"{stem}.attention.{part}_bias"] = bias
        elif last not in ("k.weight", "v.weight"):
            ours[name] = value
    return ours
