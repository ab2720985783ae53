"""Starts a model from our checkpoints or published MAE and VideoMAE weights, and tells what was done.

C channels, D encoder width, t frames of a tubelet, p side of a patch, P values of a patch.
"""

from __future__ import annotations

from pathlib import Path

import torch
from einops import rearrange, reduce, repeat
from torch import Tensor

from deepfake_ssat.config.model import ModelSettings
from deepfake_ssat.errors import CheckpointError
from deepfake_ssat.models.efficientnet_lite import EfficientNetLite, folded_weights
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.models.positions import position_table, resized_positions
from deepfake_ssat.models.weight_files import read_weights, readable, weights_file
from deepfake_ssat.models.weight_names import our_weights

OPTIONAL = {"encoder.class_token", "encoder.positions", "encoder.norm.weight", "encoder.norm.bias"}
"""What published encoders lack: VideoMAE class token and positions, after fine-tuning the last norm too."""


def load_initial_weights(model: MaskedAutoencoder, path: Path | str) -> list[str]:
    """Copies into the model what fits it, and returns one line for each thing that a user should know.

    Position tables are computed for the model's own size. A patch embedding of images is inflated over the
    tubelet's frames. A head for other classes, and a decoder of another size, stay as initialised. An encoder
    of another size, and a file with nothing that fits, raise CheckpointError.
    """
    path = weights_file(Path(path))
    raw, source = _read(path)
    stem = model.encoder.stem
    if stem is not None and source is None:
        return [_load_stem(stem, raw, path)]
    weights = our_weights(raw)
    if "encoder.patch_embed.weight" not in weights:
        raise CheckpointError(
            f"{path}: none of its {len(raw)} weights is one of a masked autoencoder; "
            "give weights of MAE, VideoMAE or deepfake-ssat"
        )
    settings = model.settings
    report: list[str] = []
    weights["encoder.patch_embed.weight"] = _convolution(weights["encoder.patch_embed.weight"], source, path)
    if settings.positions == "learned":
        _fit_positions(weights, settings, report)
    else:
        _note_positions(weights, settings, source, report)
    _fit_tubelet(weights, settings, path, report)
    _fit_biases(weights, settings, path)
    fitting = _choose(model, weights, path, report)
    model.load_state_dict(fitting, strict=False)
    unused = sorted(weights.keys() - fitting.keys())
    if unused:
        report.append(
            f"{len(unused)} weights of the file have no place here: {', '.join(unused[:4])}"
            + " …" * (len(unused) > 4)
        )
    return [f"{len(fitting)} of {len(model.state_dict())} weights come from {path}", *report]


def _read(path: Path) -> tuple[dict[str, Tensor], ModelSettings | None]:
    """Weights by their names in the file, and the settings where the file is a checkpoint of ours."""
    weights, header = read_weights(path)
    if header is None:
        return weights, None
    if header.get("kind") != "masked_autoencoder":
        raise CheckpointError(
            f"{path}: holds a model of kind {header.get('kind')}, the configuration's is masked_autoencoder"
        )
    with readable(path):
        return weights, ModelSettings(**header["settings"])


def _load_stem(stem: EfficientNetLite, published: dict[str, Tensor], path: Path) -> str:
    """Published EfficientNet-Lite0 weights into the convolutions; the rest stays as initialised."""
    try:
        stem.load_state_dict(folded_weights(published, stem))
    except (ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{path}: is no EfficientNet-Lite0, as model.stem efficientnet_lite0 needs ({error})"
        ) from error
    return f"the stem's {len(stem.state_dict())} weights come from {path}"


def _convolution(weight: Tensor, source: ModelSettings | None, path: Path) -> Tensor:
    """A patch embedding in any layout -> (D, C, t, p, p)."""
    if source is not None:
        channels, side = source.embedded
        return rearrange(weight, "d (t h w c) -> d c t h w", t=source.tubelet, h=side, c=channels)
    if weight.ndim not in (4, 5):
        raise CheckpointError(
            f"{path}: its patch embedding is {tuple(weight.shape)}, no convolution; give a whole checkpoint"
        )
    return weight.unsqueeze(2) if weight.ndim == 4 else weight


def _fit_positions(weights: dict[str, Tensor], settings: ModelSettings, report: list[str]) -> None:
    """Stored positions on the model's grid; the class token takes its own in, to which it is always added."""
    weights.pop("decoder.positions", None)
    stored = weights.pop("encoder.positions", None)
    if stored is None:
        report.append(f"positions: left as initialised, the file has none that were {settings.positions}")
        return
    table = stored[0]
    if "encoder.class_token" in weights and round(len(table) ** 0.5) ** 2 == len(table) - 1:
        weights["encoder.class_token"] = weights["encoder.class_token"] + table[0]
        table = table[1:]
    if len(table) != settings.num_tokens:
        report.append(
            f"positions: {len(table)} of the file, interpolated to a grid of {settings.grid} tokens"
        )
        table = resized_positions(table, settings.grid)
    weights["encoder.positions"] = table.unsqueeze(0)


def _note_positions(
    weights: dict[str, Tensor], settings: ModelSettings, source: ModelSettings | None, report: list[str]
) -> None:
    """Takes stored tables out of the weights, and reports where the model's table means something else."""
    weights.pop("decoder.positions", None)
    stored = weights.pop("encoder.positions", None)
    # VideoMAE's files hold no table, and do not tell their grid: the published ones have this.
    kind, grid = "sincos_1d", (8, 14, 14)
    if source is not None:
        kind, grid = source.positions, source.position_grid or source.grid
    elif stored is not None:
        table = stored[0, 1:] if "encoder.class_token" in weights else stored[0]
        side = round(table.shape[0] ** 0.5)
        kind, grid = "sincos_2d", (1, side, side)
        fixed = side * side == table.shape[0] and table.shape[1] % 4 == 0
        if not fixed or not torch.allclose(
            table.float(), position_table(kind, grid, table.shape[1]), atol=1e-3
        ):
            report.append(f"positions: the file's learned ones are replaced by {settings.positions}")
            return
    if kind != settings.positions:
        report.append(
            f"positions: the file was trained with {kind}, the model has {settings.positions}; "
            f"model.positions={kind} keeps what was learned"
        )
    # MAE's table does not know of time: only rows and columns may differ.
    known = slice(1 if kind == "sincos_2d" else 0, None)
    if grid[known] != (settings.position_grid or settings.grid)[known]:
        report.append(
            f"positions: computed for a grid of {settings.grid} tokens, the file was trained on {grid}"
            f"{'' if source or stored is not None else ' if it is a published one'}; "
            f"model.position_grid={list(grid)} interpolates the positions it knows"
        )


def _fit_tubelet(weights: dict[str, Tensor], settings: ModelSettings, path: Path, report: list[str]) -> None:
    """Patch embedding to (D, P), the decoder's prediction to (P, ...), for the model's frames per token."""
    convolution = weights["encoder.patch_embed.weight"]
    channels, frames, patch = convolution.shape[1:4]
    needs = settings.embedded
    for name, given, needed in (("channels", channels, needs[0]), ("patch", patch, needs[1])):
        if given != needed:
            raise CheckpointError(
                f"{path}: was trained with {name} {given}, the model has {needed}; set model.{name}={given}"
            )
    if frames != settings.tubelet:
        if 1 not in (frames, settings.tubelet):
            raise CheckpointError(
                f"{path}: was trained with tubelet {frames}, the model has {settings.tubelet}; "
                f"set model.tubelet={frames}"
            )
        # A clip that stands still then gives the same tokens as before.
        mean = convolution.sum(dim=2, keepdim=True) / settings.tubelet
        convolution = mean.expand(-1, -1, settings.tubelet, -1, -1)
        for name in ("decoder.predict.weight", "decoder.predict.bias"):
            if name in weights:
                one_frame = reduce(weights[name], "(t k) ... -> k ...", "mean", t=frames)
                weights[name] = repeat(one_frame, "k ... -> (t k) ...", t=settings.tubelet)
        report.append(f"patch embedding: from tubelets of {frames} to tubelets of {settings.tubelet} frames")
    weights["encoder.patch_embed.weight"] = rearrange(convolution, "d c t h w -> d (t h w c)")


def _fit_biases(weights: dict[str, Tensor], settings: ModelSettings, path: Path) -> None:
    """The biases of query, key and value in the form of ``settings.qkv_bias``; an absent one is zero.

    A key bias may go: it adds the same to all of a query's scores, and the softmax takes it out again.
    """
    for name in [name for name in weights if name.endswith(".attention.qkv.weight")]:
        stem = name.removesuffix("qkv.weight")
        zeros = weights[name].new_zeros(weights[name].shape[1])
        query, key, value = (weights.pop(f"{stem}{part}_bias", zeros) for part in "qkv")
        if settings.qkv_bias == "qkv":
            weights[f"{stem}qkv.bias"] = torch.cat([query, key, value])
        elif settings.qkv_bias == "qv":
            weights[f"{stem}q_bias"], weights[f"{stem}v_bias"] = query, value
        elif query.any() or value.any():
            raise CheckpointError(
                f"{path}: its attention has biases, the model has none; set model.qkv_bias=qv"
            )
    if "decoder.embed.weight" in weights and "decoder.embed.bias" not in weights:
        weights["decoder.embed.bias"] = torch.zeros(weights["decoder.embed.weight"].shape[0])


def _choose(
    model: MaskedAutoencoder, weights: dict[str, Tensor], path: Path, report: list[str]
) -> dict[str, Tensor]:
    """The weights to copy: a whole encoder, and each other part only where all of it fits."""
    needed = model.state_dict()
    blocks = {name.split(".")[2] for name in weights if name.startswith("encoder.blocks.")}
    depth = len(blocks)
    if depth != model.settings.encoder.depth:
        raise CheckpointError(
            f"{path}: its encoder has {depth} blocks, the model {model.settings.encoder.depth}; "
            f"set model.encoder.depth={depth}"
        )
    fitting = {}
    for part in ("encoder", "head_norm", "head", "decoder"):
        names = [name for name in needed if name.split(".")[0] == part]
        missing = [name for name in names if name not in weights]
        wrong = [name for name in names if name in weights and weights[name].shape != needed[name].shape]
        if wrong:
            given, wanted = tuple(weights[wrong[0]].shape), tuple(needed[wrong[0]].shape)
            if part == "encoder":
                raise CheckpointError(
                    f"{path}: {wrong[0]} is {given}, the model's is {wanted}; "
                    "give the model the encoder width of the file"
                )
            report.append(f"{part}: left as initialised, {wrong[0]} is {given} in the file and {wanted} here")
            continue
        if missing and part != "encoder":
            report.append(f"{part}: left as initialised, the file has no complete one")
            continue
        if not OPTIONAL.issuperset(missing):
            lost = next(name for name in missing if name not in OPTIONAL)
            raise CheckpointError(f"{path}: has no {lost}; give a whole checkpoint")
        if missing:
            report.append(f"encoder: left as initialised, as the file lacks them: {', '.join(missing)}")
        fitting |= {name: weights[name] for name in names if name in weights}
    return fitting
