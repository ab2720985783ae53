"""One file for a trained model: weights, settings, extraction contract, decision and a self-test.

The file is safetensors, with everything but the weights as JSON in its header; reading it never runs code
from it. T frames, H W pixels, C channels.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from deepfake_ssat.config.baselines import (
    CrossEfficientVitSettings,
    FrameClassifierSettings,
    NetworkSettings,
)
from deepfake_ssat.config.extraction import ExtractionSettings, parse_contract
from deepfake_ssat.config.model import ModelSettings
from deepfake_ssat.errors import CheckpointError, ConfigError, OutputError
from deepfake_ssat.models.baselines.cross_efficient_vit import CrossEfficientVit
from deepfake_ssat.models.baselines.frame_classifier import FrameClassifier
from deepfake_ssat.models.decision import Decision, parse_decision
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.models.pixels import normalize_pixels
from deepfake_ssat.models.precision import full_precision
from deepfake_ssat.outputs import whole_file

FORMAT_VERSION = 1
HEADER_KEY = "deepfake_ssat"
SELF_TEST_TOLERANCE = 1e-3
SELF_TEST_SEED = 1
SELF_TEST_TOKENS = 48


@dataclass(frozen=True)
class Checkpoint:
    """A model with all that is needed to use it as it was trained."""

    model: nn.Module
    settings: NetworkSettings
    contract: ExtractionSettings | None = None
    """How the face clips were cut that it was trained on; None for a model of other images."""
    decision: Decision = field(default_factory=Decision)
    kind: str = "masked_autoencoder"
    """One of ``KINDS``."""
    metrics: dict[str, Any] = field(default_factory=dict)
    """JSON values, such as the validation video AUC that it was chosen by."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """JSON values: command, configuration, manifest hash, versions."""
    hash: str = ""
    """SHA-256 of the file it was loaded from."""
    path: Path | None = None
    """The file it was loaded from."""

    def require_contract(self) -> ExtractionSettings:
        """The extraction contract of a detector of faces; raises CheckpointError for any other model."""
        name = self.path or "this checkpoint"
        if self.provenance.get("objective", {}).get("name") == "mae":
            raise CheckpointError(
                f"{name}: was pre-trained without labels and cannot judge; give it to a training "
                "configuration as init, such as configs/video_finetune.yaml"
            )
        if self.contract is None or self.settings.num_classes != 2:
            raise CheckpointError(
                f"{name}: was trained on images ({self.settings.num_classes} classes), not on face clips; "
                "judging videos needs one that was trained on what preprocess wrote"
            )
        return self.contract


@dataclass(frozen=True)
class Kind:
    """How one family of networks is built from its settings, and what its self-test computes."""

    settings: type[NetworkSettings]
    build: Callable[[Any], Any]
    self_test_logits: Callable[[Any, Tensor], Tensor]
    """(model, one clip (1, C, T, H, W)) -> logits (1, classes); any cheap function of all weights."""
    decoder_prefix: str | None
    """Weights that classification does not need; a model that has them has ``drop_decoder`` as well."""


def _logits_of_some_tokens(model: MaskedAutoencoder, clips: Tensor) -> Tensor:
    """Tokens spread over the clip suffice to notice changed weights, positions, patch order or pixels."""
    num_tokens = model.settings.num_tokens
    visible = np.linspace(0, num_tokens - 1, min(SELF_TEST_TOKENS, num_tokens)).astype(int)
    mask = torch.ones(1, num_tokens, dtype=torch.bool, device=clips.device)
    mask[:, visible] = False
    return model.classify_visible(clips, mask)


def _logits_of_one_frame(model: FrameClassifier | CrossEfficientVit, clips: Tensor) -> Tensor:
    """A clip's frames go through the same weights one by one."""
    return model.classify_frames(clips[:, :, 0])


Network = MaskedAutoencoder | FrameClassifier | CrossEfficientVit
KINDS: dict[str, Kind] = {
    "masked_autoencoder": Kind(ModelSettings, MaskedAutoencoder, _logits_of_some_tokens, "decoder."),
    "frame_classifier": Kind(FrameClassifierSettings, FrameClassifier, _logits_of_one_frame, None),
    "cross_efficient_vit": Kind(CrossEfficientVitSettings, CrossEfficientVit, _logits_of_one_frame, None),
}


def build_network(settings: NetworkSettings) -> Network:
    """A new network with random weights; raises ConfigError where its backbone cannot be built."""
    return KINDS[settings.kind].build(settings)


def save_checkpoint(path: Path | str, checkpoint: Checkpoint) -> str:
    """Writes the file whole or not at all, and returns its SHA-256; refuses weights that are not finite.

    Raises OutputError where it cannot be written.
    """
    path = Path(path)
    state = {
        name: value.detach().to("cpu", torch.float32).contiguous()
        for name, value in checkpoint.model.state_dict().items()
    }
    _check_finite(path, state)
    kind = KINDS[checkpoint.kind]
    model = _build(path, kind, checkpoint.settings, state)
    probabilities = _self_test(kind, model, checkpoint.settings, SELF_TEST_SEED)
    header = {
        "format_version": FORMAT_VERSION,
        "kind": checkpoint.kind,
        "settings": checkpoint.settings.model_dump(mode="json"),
        "contract": checkpoint.contract.model_dump(mode="json") if checkpoint.contract else None,
        "decision": asdict(checkpoint.decision),
        "metrics": checkpoint.metrics,
        "provenance": checkpoint.provenance,
        "self_test": {"seed": SELF_TEST_SEED, "probabilities": probabilities},
    }
    with whole_file(path) as unfinished:
        try:
            save_file(state, unfinished, {HEADER_KEY: json.dumps(header, allow_nan=False)})
        except SafetensorError as error:
            raise OutputError(f"{path} cannot be written ({error}); give another path") from error
        return file_hash(unfinished)


def load_checkpoint(
    path: Path | str, device: torch.device | str = "cpu", *, decoder: bool = True
) -> Checkpoint:
    """Reads, checks and self-tests a file of ``save_checkpoint``; the model is in evaluation mode.

    Without ``decoder`` the weights that only reconstruction needs stay on disk. Raises CheckpointError in one
    line for every other kind of file.
    """
    path = Path(path)
    header, state = _read(path, decoder)
    try:
        kind = KINDS[header["kind"]]
        settings = kind.settings(**header["settings"])
        contract = parse_contract(header["contract"]) if header["contract"] else None
        decision = parse_decision(header["decision"])
        seed, expected = header["self_test"]["seed"], header["self_test"]["probabilities"]
        metrics, provenance = header["metrics"], header["provenance"]
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: its header cannot be understood by this version ({' '.join(str(error).split())}); "
            "it was written by another version, or damaged"
        ) from error
    _check_finite(path, state)
    model = _build(path, kind, settings, state).to(device)
    actual = _self_test(kind, model, settings, seed)
    difference = float(np.abs(np.array(actual) - np.array(expected)).max())
    if not difference <= SELF_TEST_TOLERANCE:
        raise CheckpointError(
            f"{path}: self-test failed, a probability is off by {difference:.4f} (allowed: "
            f"{SELF_TEST_TOLERANCE}); the file is damaged, or this version computes something else"
        )
    digest = file_hash(path)
    return Checkpoint(model, settings, contract, decision, header["kind"], metrics, provenance, digest, path)


def file_hash(path: Path | str) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _read(path: Path, decoder: bool) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The header and the weights; raises CheckpointError for a file of another kind."""
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(HEADER_KEY)
            if text is None:
                raise CheckpointError(
                    f"{path}: is a safetensors file, but no checkpoint of deepfake-ssat; "
                    "published weights go into a training configuration as init"
                )
            header = json.loads(text)
            if header.get("format_version") != FORMAT_VERSION:
                raise CheckpointError(
                    f"{path}: has format version {header.get('format_version')}, this version reads "
                    f"{FORMAT_VERSION}; use the version of deepfake-ssat that wrote it"
                )
            if header.get("kind") not in KINDS:
                raise CheckpointError(
                    f"{path}: holds a model of kind {header.get('kind')!r}, known are {', '.join(KINDS)}"
                )
            prefix = KINDS[header["kind"]].decoder_prefix
            names = list(file.keys())
            if prefix and not decoder:
                names = [name for name in names if not name.startswith(prefix)]
            return header, {name: file.get_tensor(name) for name in names}
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file; give the best.safetensors of a training run") from error
    except (SafetensorError, OSError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{path}: is no checkpoint, or is cut off ({' '.join(str(error).split())}); "
            "give the best.safetensors of a training run"
        ) from error


def _build(path: Path, kind: Kind, settings: NetworkSettings, state: dict[str, Tensor]) -> nn.Module:
    """A model in evaluation mode around the given weights, without drawing random ones first."""
    try:
        with torch.device("meta"):
            model: Any = kind.build(settings)
    except ConfigError as error:
        raise CheckpointError(f"{path}: its network cannot be built here: {error}") from error
    if kind.decoder_prefix and not any(name.startswith(kind.decoder_prefix) for name in state):
        model.drop_decoder()
    own = model.state_dict()
    needed = {name: tuple(value.shape) for name, value in own.items()}
    given = {name: tuple(value.shape) for name, value in state.items()}
    wrong = sorted(name for name in needed.keys() | given.keys() if needed.get(name) != given.get(name))
    if wrong:
        raise CheckpointError(
            f"{path}: {len(wrong)} weights do not fit its settings: {wrong[0]} is {given.get(wrong[0])}, "
            f"needed is {needed.get(wrong[0])}; the file is damaged or was edited"
        )
    # Counters of batch normalisation are stored as fp32 like all else, and are integers in the network.
    model.load_state_dict({name: value.to(own[name].dtype) for name, value in state.items()}, assign=True)
    if any(buffer.is_meta for buffer in model.buffers()):
        # A fixed table of timm's that is no weight: it is computed where the network is built.
        model = kind.build(settings)
        model.load_state_dict(state)
    return model.eval()


def _check_finite(path: Path, state: dict[str, Tensor]) -> None:
    for name, value in state.items():
        if value.dtype != torch.float32:
            raise CheckpointError(f"{path}: weight {name} is {value.dtype}, needed is float32")
        # A sum is finite only if all are: one pass without a temporary. (An overflow is no weight either.)
        if not torch.isfinite(value.sum()):
            raise CheckpointError(
                f"{path}: weight {name} is not finite; training diverged, lower the learning rate"
            )


def _self_test(kind: Kind, model: nn.Module, settings: NetworkSettings, seed: int) -> list[float]:
    """Class probabilities of one clip of noise, in fp32 on the model's device."""
    shape = (1, settings.frames, settings.image_size, settings.image_size, settings.channels)
    device = next(model.parameters()).device
    pixels = torch.from_numpy(noise_pixels(seed, shape)).to(device)
    with full_precision(), torch.inference_mode(), torch.autocast(device.type, enabled=False):
        logits = kind.self_test_logits(model, normalize_pixels(pixels, settings))
    return [round(value, 6) for value in logits.softmax(dim=1)[0].tolist()]


def noise_pixels(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """uint8 noise from a multiplicative hash: the same on every machine and in every version of numpy."""
    counter = np.arange(np.prod(shape), dtype=np.uint32) + np.uint32(seed)
    counter *= np.uint32(2654435761)
    counter ^= counter >> np.uint32(15)
    counter *= np.uint32(2246822519)
    return (counter >> np.uint32(24)).astype(np.uint8).reshape(shape)
