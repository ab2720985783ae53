"""A model as a folder that transformers loads: its VideoMAE, or its ViT for models of pictures.

D width, N tokens of the grid, B batch, T frames, H W pixels, C channels.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from safetensors.torch import save
from torch import Tensor

from deepfake_ssat.config import ModelSettings
from deepfake_ssat.errors import CheckpointError
from deepfake_ssat.inference.extras import require_packages
from deepfake_ssat.models.checkpoint import Checkpoint
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.models.pixels import normalize_pixels
from deepfake_ssat.models.precision import full_precision
from deepfake_ssat.models.self_test import noise_pixels
from deepfake_ssat.outputs import make_folder, write_file

TOLERANCE = 1e-4
"""Of the logits: of their size, and below 1 absolutely."""
NOISE_CLIPS = 3
FACE_CLASSES = ("real", "fake")
BLOCK_NAMES = {
    "attention.projection": "attention.output.dense",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
}
"""Of a block's parts, in published files."""


def export_huggingface(checkpoint: Checkpoint, folder: Path) -> float:
    """Writes config.json, preprocessor_config.json and model.safetensors; returns the largest difference.

    Before that, transformers loads the same files and its logits of noise are compared with ours. Raises
    ConfigError where the extra ``hub`` is not installed, OutputError where the folder cannot be written,
    CheckpointError for a network that transformers does not have, or whose logits would differ.
    """
    require_packages("export", "hub", ("transformers",))
    model = exportable(checkpoint)
    files = huggingface_files(checkpoint, model)
    with tempfile.TemporaryDirectory() as trial:
        for name, data in files.items():
            Path(trial, name).write_bytes(data)
        difference = parity(model, Path(trial))
    if not difference <= TOLERANCE:
        raise CheckpointError(
            f"{checkpoint.path}: its logits in transformers differ by {difference:.1e} (allowed: "
            f"{TOLERANCE:.0e}), nothing was written; its VideoMAE has 1e-5 in its last norm, whatever "
            "is configured: train with model.norm_eps=1e-5, or export to ONNX"
        )
    make_folder(folder)
    for name, data in files.items():
        write_file(folder / name, data)
    return difference


def huggingface_files(checkpoint: Checkpoint, model: MaskedAutoencoder) -> dict[str, bytes]:
    """What ``from_pretrained`` reads, by name, of an exportable checkpoint and its network."""
    return {
        "preprocessor_config.json": _json(_preprocessing(model.settings)),
        "model.safetensors": save(weights(model), {"format": "pt"}),
        "config.json": _json(_configuration(checkpoint, model.settings)),
    }


def exportable(checkpoint: Checkpoint) -> MaskedAutoencoder:
    """The network; raises CheckpointError with the reason where transformers has none like it."""
    model = checkpoint.model
    if not isinstance(model, MaskedAutoencoder):
        raise _refusal(checkpoint, f"its network is a {checkpoint.kind}, no plain ViT", "export it to ONNX")
    settings = model.settings
    if checkpoint.provenance.get("objective", {}).get("name") == "mae":
        raise _refusal(checkpoint, "it was trained without labels", "fine-tune it first")
    if settings.stem != "linear":
        raise _refusal(checkpoint, f"its stem {settings.stem} stands before the tokens", "export it to ONNX")
    if settings.encoder.shifted_patches or settings.encoder.locality_attention:
        raise _refusal(checkpoint, "it is an SL-ViT", "export it to ONNX")
    if settings.pooling == "class_token" and settings.frames > 1:
        raise _refusal(
            checkpoint, f"it reads {settings.frames} frames by a class token", "train with model.pooling=mean"
        )
    grid = settings.position_grid or settings.grid
    if is_video(settings) and (settings.positions != "sincos_1d" or grid != settings.grid):
        raise _refusal(
            checkpoint,
            f"VideoMAE's positions are sincos_1d of the model's own grid, the model has {settings.positions} "
            f"of {grid}",
            "export it to ONNX",
        )
    return model


def is_video(settings: ModelSettings) -> bool:
    """Whether it becomes a VideoMAE, which takes the mean of all tokens, or a ViT, with its class token."""
    return settings.pooling == "mean"


def weights(model: MaskedAutoencoder) -> dict[str, Tensor]:
    """All that classification reads, by the names of published files."""
    settings, state = model.settings, model.state_dict()
    video = is_video(settings)
    root = "videomae" if video else "vit"
    kernel = rearrange(
        state["encoder.patch_embed.weight"],
        "d (t h w c) -> d c t h w",
        t=settings.tubelet,
        h=settings.patch,
        w=settings.patch,
    )
    found = {
        f"{root}.embeddings.patch_embeddings.projection.weight": kernel if video else kernel.squeeze(2),
        f"{root}.embeddings.patch_embeddings.projection.bias": state["encoder.patch_embed.bias"],
        "classifier.weight": state["head.weight"],
        "classifier.bias": state["head.bias"],
    }
    if video:
        last = {"fc_norm": "head_norm"}
    else:
        last = {"vit.layernorm": "encoder.norm"}
        found["vit.embeddings.cls_token"] = state["encoder.class_token"]
        # The class token has no position.
        table = model.encoder.positions
        found["vit.embeddings.position_embeddings"] = torch.cat(
            [torch.zeros_like(table[:, :1]), table], dim=1
        )
    for theirs, ours in last.items():
        found |= {f"{theirs}.{kind}": state[f"{ours}.{kind}"] for kind in ("weight", "bias")}
    for number in range(settings.encoder.depth):
        place, ours = f"{root}.encoder.layer.{number}", f"encoder.blocks.{number}"
        found |= {
            f"{place}.attention.attention.{name}": value for name, value in _attention(state, ours, video)
        }
        for part, name in BLOCK_NAMES.items():
            found |= {f"{place}.{name}.{kind}": state[f"{ours}.{part}.{kind}"] for kind in ("weight", "bias")}
    return {name: value.detach().cpu().clone().contiguous() for name, value in found.items()}


def _attention(state: dict[str, Tensor], block: str, video: bool) -> Iterator[tuple[str, Tensor]]:
    """Query, key and value of a block; a key's bias changes no attention: VideoMAE has none."""
    joint = state[f"{block}.attention.qkv.weight"]
    for name, matrix in zip(("query", "key", "value"), joint.chunk(3), strict=True):
        yield f"{name}.weight", matrix
    biases = _biases(state, f"{block}.attention")
    if biases is None:
        return
    query, key, value = biases
    if video:
        yield "q_bias", query
        yield "v_bias", value
    else:
        yield "query.bias", query
        yield "key.bias", key
        yield "value.bias", value


def _biases(state: dict[str, Tensor], attention: str) -> tuple[Tensor, Tensor, Tensor] | None:
    """Of query, key and value; None where there are none."""
    if f"{attention}.qkv.bias" in state:
        query, key, value = state[f"{attention}.qkv.bias"].chunk(3)
        return query, key, value
    if f"{attention}.q_bias" in state:
        query, value = state[f"{attention}.q_bias"], state[f"{attention}.v_bias"]
        return query, torch.zeros_like(query), value
    return None


def _configuration(checkpoint: Checkpoint, settings: ModelSettings) -> dict[str, Any]:
    """config.json: what transformers builds, and under a key of ours what a user must know beside it."""
    encoder = settings.encoder
    names = FACE_CLASSES if checkpoint.contract else tuple(map(str, range(settings.num_classes)))
    own = {
        "architectures": ["VideoMAEForVideoClassification"],
        "model_type": "videomae",
        "num_frames": settings.frames,
        "tubelet_size": settings.tubelet,
        "qv_bias": settings.qkv_bias != "none",
        "use_mean_pooling": True,
    }
    if not is_video(settings):
        own = {
            "architectures": ["ViTForImageClassification"],
            "model_type": "vit",
            "qkv_bias": settings.qkv_bias != "none",
        }
    return {
        **own,
        "image_size": settings.image_size,
        "patch_size": settings.patch,
        "num_channels": settings.channels,
        "hidden_size": encoder.width,
        "num_hidden_layers": encoder.depth,
        "num_attention_heads": encoder.heads,
        "intermediate_size": round(encoder.width * encoder.mlp_ratio),
        "hidden_act": "gelu",
        "layer_norm_eps": settings.norm_eps,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "id2label": {str(number): name for number, name in enumerate(names)},
        "label2id": {name: number for number, name in enumerate(names)},
        "dtype": "float32",
        "deepfake_ssat": {
            "checkpoint_sha256": checkpoint.hash,
            "extraction_contract": checkpoint.contract.model_dump(mode="json")
            if checkpoint.contract
            else None,
            "decision": asdict(checkpoint.decision) if checkpoint.contract else None,
        },
    }


def _preprocessing(settings: ModelSettings) -> dict[str, Any]:
    """preprocessor_config.json: pixels as the model reads them."""
    side, channels = settings.image_size, settings.channels
    square = {"height": side, "width": side}
    statistics = {
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(settings.mean) * (channels if len(settings.mean) == 1 else 1),
        "image_std": list(settings.std) * (channels if len(settings.std) == 1 else 1),
    }
    if is_video(settings):
        processor = {"image_processor_type": "VideoMAEImageProcessor", "size": {"shortest_edge": side}}
        return {**processor, "do_resize": True, "do_center_crop": True, "crop_size": square, **statistics}
    return {"image_processor_type": "ViTImageProcessor", "do_resize": True, "size": square, **statistics}


def parity(model: MaskedAutoencoder, folder: Path) -> float:
    """The largest difference of logits on noise, in parts of their size where that is above 1."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    settings = model.settings
    shape = (NOISE_CLIPS, settings.frames, settings.image_size, settings.image_size, settings.channels)
    clips = normalize_pixels(torch.from_numpy(noise_pixels(1, shape)), settings)
    with full_precision(), torch.inference_mode():
        ours = model.classify(clips)
        if is_video(settings):
            network = transformers.VideoMAEForVideoClassification.from_pretrained(folder)
            theirs = network.eval()(clips.transpose(1, 2)).logits
        else:
            network = transformers.ViTForImageClassification.from_pretrained(folder)
            theirs = network.eval()(clips[:, :, 0]).logits
    return float((ours - theirs).abs().max() / max(float(ours.abs().max()), 1.0))


def _json(values: dict[str, Any]) -> bytes:
    return (json.dumps(values, indent=2) + "\n").encode()


def _refusal(checkpoint: Checkpoint, reason: str, remedy: str) -> CheckpointError:
    return CheckpointError(f"{checkpoint.path}: transformers has no such network: {reason}; {remedy}")
