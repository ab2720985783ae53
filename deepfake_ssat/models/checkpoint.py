"""One file for a trained model: weights, settings, extraction contract, decision and a self-test.

The file is safetensors, with everything but the weights as JSON in its header; reading it never runs code
from it. T frames, H W pixels, C channels.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from zlib import crc32

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from deepfake_ssat.config.baselines import NetworkSettings
from deepfake_ssat.config.extraction import ExtractionSettings, parse_contract
from deepfake_ssat.config.training import WITHOUT_LABELS
from deepfake_ssat.errors import CheckpointError, ConfigError, OutputError
from deepfake_ssat.models.decision import Decision, parse_decision
from deepfake_ssat.models.kinds import KINDS, build_network
from deepfake_ssat.models.network import Network
from deepfake_ssat.models.passed_tests import has_passed, remember_pass
from deepfake_ssat.models.plausible import implausible
from deepfake_ssat.models.self_test import SELF_TEST_SEED, require_self_test, self_test, stored_self_test
from deepfake_ssat.models.weight_files import HEADER_KEY
from deepfake_ssat.outputs import whole_file
from deepfake_ssat.text import parse_json

FORMAT_VERSION = 1
STORED_TYPES = (torch.float32, torch.float16)
HEADER_SUM = "header_crc32"
"""Beside the header, its checksum; files of earlier versions have none."""


@dataclass(frozen=True)
class Checkpoint:
    """A model with all that is needed to use it as it was trained."""

    model: Network
    settings: NetworkSettings
    contract: ExtractionSettings | None = None
    """How the face clips were cut that it was trained on; None for a model of other images."""
    decision: Decision = field(default_factory=Decision)
    metrics: dict[str, Any] = field(default_factory=dict)
    """JSON values, such as the validation video AUC that it was chosen by."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """JSON values: command, configuration, manifest hash, versions."""
    hash: str = ""
    """SHA-256 of the file it was loaded from."""
    path: Path | None = None
    """The file it was loaded from."""

    @property
    def kind(self) -> str:
        """Of the network, one of ``KINDS``."""
        return self.settings.kind

    @property
    def origin(self) -> dict[str, Any]:
        """The provenance without the names of those whom it has seen, thousands of them."""
        return {name: value for name, value in self.provenance.items() if name != "seen"}

    def require_classifier(self) -> None:
        """Raises CheckpointError for a model that was trained without labels."""
        if self.provenance.get("objective", {}).get("name") in WITHOUT_LABELS:
            raise CheckpointError(
                f"{self.path or 'this checkpoint'}: was pre-trained without labels and cannot judge; give it "
                "to a training configuration as init, such as configs/video_finetune.yaml"
            )

    def require_contract(self) -> ExtractionSettings:
        """The extraction contract of a detector of faces; raises CheckpointError for any other model."""
        self.require_classifier()
        if self.contract is None or self.settings.num_classes != 2:
            raise CheckpointError(
                f"{self.path or 'this checkpoint'}: was trained on images "
                f"({self.settings.num_classes} classes), not on face clips; "
                "judging videos needs one that was trained on what preprocess wrote"
            )
        return self.contract


def save_checkpoint(path: Path | str, checkpoint: Checkpoint, *, half: bool = False) -> str:
    """Writes the file whole or not at all, and returns its SHA-256; refuses weights that are not finite.

    ``half`` rounds the weights to float16, for half the size; the self-test is that of the rounded ones.

    Raises OutputError where it cannot be written.
    """
    path = Path(path)
    state = {
        name: value.detach().to("cpu", torch.float16 if half else torch.float32).contiguous()
        for name, value in checkpoint.model.state_dict().items()
    }
    _check_finite(path, state)
    model = _build(path, _without_weights(path, checkpoint.settings), state)
    probabilities = self_test(model, SELF_TEST_SEED)
    header = {
        "format_version": FORMAT_VERSION,
        "kind": checkpoint.kind,
        "settings": checkpoint.settings.model_dump(mode="json"),
        "contract": checkpoint.contract.model_dump(mode="json") if checkpoint.contract else None,
        "decision": asdict(checkpoint.decision),
        "metrics": checkpoint.metrics,
        "provenance": checkpoint.provenance,
        "self_test": {"seed": SELF_TEST_SEED, "probabilities": probabilities},
        "checksums": {name: _checksum(value) for name, value in state.items()},
    }
    # Within the one text: safetensors writes several in any order, and the same checkpoint is the same file.
    text = json.dumps(header | {HEADER_SUM: _header_sum(header)}, allow_nan=False)
    with whole_file(path) as unfinished:
        try:
            save_file(state, unfinished, {HEADER_KEY: text})
        except SafetensorError as error:
            raise OutputError(f"{path} cannot be written ({error}); give another path") from error
        return file_hash(unfinished)


def load_checkpoint(
    path: Path | str, device: torch.device | str = "cpu", *, decoder: bool = True, test_once: bool = False
) -> Checkpoint:
    """Reads, checks and self-tests a file of ``save_checkpoint``; the model is in evaluation mode.

    Without ``decoder`` the weights that only reconstruction needs stay on disk. With ``test_once`` a
    self-test that this file passed here before is not repeated. Raises CheckpointError in one line for every
    other kind of file.
    """
    path = Path(path)
    header, state = _read(path, decoder)
    described = _described(path, header, len(state))
    _check_finite(path, state)
    _check_sums(path, state, header.get("checksums", {}))
    model = _build(path, described.model, state).to(device)
    digest = file_hash(path)
    if not (test_once and has_passed(digest, device)):
        require_self_test(path, model, *stored_self_test(header["self_test"], described.settings.num_classes))
        if test_once:
            remember_pass(digest, device)
    return replace(described, model=model, hash=digest)


def describe_checkpoint(path: Path | str) -> Checkpoint:
    """The same from its header alone: the model has shapes and no weights, on torch's device ``meta``."""
    path = Path(path)
    header, no_weights = _read(path, decoder=True, weights=False)
    return replace(_described(path, header, len(no_weights)), hash=file_hash(path))


def is_of_pictures(path: Path | str) -> bool:
    """Whether a checkpoint was trained on pictures instead of face clips; reads its header alone.

    False for what is no checkpoint: ``load_checkpoint`` says what is wrong with it.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = parse_json((file.metadata() or {}).get(HEADER_KEY, "{}"))
    except (SafetensorError, OSError, ValueError):
        return False
    return isinstance(header, dict) and header.get("contract", ...) is None


def file_hash(path: Path | str) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _header_sum(header: dict[str, Any]) -> int:
    return crc32(json.dumps(header, allow_nan=False).encode())


def _read(path: Path, decoder: bool, weights: bool = True) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The header and the weights, or their names alone; raises CheckpointError for a file of another kind."""
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(HEADER_KEY)
            if text is None:
                raise CheckpointError(
                    f"{path}: is a safetensors file, but no checkpoint of deepfake-ssat; "
                    "published weights go into a training configuration as init"
                )
            header = parse_json(text)
            if not isinstance(header, dict):
                raise ValueError("its header names nothing")
            if header.pop(HEADER_SUM, None) not in (None, _header_sum(header)):
                raise CheckpointError(f"{path}: its header does not fit its checksum; the file is damaged")
            if header.get("format_version") != FORMAT_VERSION:
                raise CheckpointError(
                    f"{path}: has format version {header.get('format_version')}, this version reads "
                    f"{FORMAT_VERSION}; use the version of deepfake-ssat that wrote it"
                )
            if str(header.get("kind")) not in KINDS:
                raise CheckpointError(
                    f"{path}: holds a model of kind {header.get('kind')!r}, known are {', '.join(KINDS)}"
                )
            prefix = KINDS[header["kind"]].network.decoder_prefix
            names = list(file.keys())
            if prefix and not decoder:
                names = [name for name in names if not name.startswith(prefix)]
            return header, {name: file.get_tensor(name) if weights else torch.empty(0) for name in names}
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file; give the best.safetensors of a training run") from error
    except (SafetensorError, OSError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{path}: is no checkpoint, or is cut off ({' '.join(str(error).split())}); "
            "give the best.safetensors of a training run"
        ) from error


def _described(path: Path, header: dict[str, Any], num_weights: int) -> Checkpoint:
    """What the header says, without weights; raises CheckpointError where it says nothing that may be."""
    try:
        settings = KINDS[header["kind"]].settings(**header["settings"])
        contract = parse_contract(header["contract"]) if header["contract"] else None
        decision = parse_decision(header["decision"])
        stored_self_test(header["self_test"], settings.num_classes)
        metrics, provenance = header["metrics"], header["provenance"]
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: its header cannot be understood by this version ({' '.join(str(error).split())}); "
            "it was written by another version, or damaged"
        ) from error
    if excess := implausible(settings, num_weights):
        raise CheckpointError(f"{path}: its settings ask for {excess}; the file is damaged or was edited")
    model = _without_weights(path, settings)
    return Checkpoint(model, settings, contract, decision, metrics, provenance, path=path)


def _without_weights(path: Path, settings: NetworkSettings) -> Network:
    try:
        with torch.device("meta"):
            return build_network(settings)
    except ConfigError as error:
        raise CheckpointError(f"{path}: its network cannot be built here: {error}") from error


def _build(path: Path, model: Network, state: dict[str, Tensor]) -> Network:
    """A model without weights becomes one in evaluation mode around the given ones."""
    prefix = model.decoder_prefix
    without_decoder = prefix is not None and not any(name.startswith(prefix) for name in state)
    if without_decoder:
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
    # What is stored is float32, or float16; counters of batch normalisation are integers in the network.
    model.load_state_dict({name: value.to(own[name].dtype) for name, value in state.items()}, assign=True)
    if any(buffer.is_meta for buffer in model.buffers()):
        # A fixed table of timm's that is no weight: it is computed where the network is built.
        model = build_network(model.settings)
        if without_decoder:
            model.drop_decoder()
        model.load_state_dict({name: value.to(own[name].dtype) for name, value in state.items()})
    return model.eval()


def _check_finite(path: Path, state: dict[str, Tensor]) -> None:
    for name, value in state.items():
        if value.dtype not in STORED_TYPES:
            raise CheckpointError(f"{path}: weight {name} is {value.dtype}, needed is float32 or float16")
        # A sum is finite only if all are: one pass without a temporary. (An overflow is no weight either.)
        if not torch.isfinite(value.sum(dtype=torch.float32)):
            raise CheckpointError(
                f"{path}: weight {name} is not finite; training diverged, lower the learning rate"
            )


def _checksum(value: Tensor) -> int:
    """Of a weight's bytes."""
    return crc32(value.numpy().tobytes())


def _check_sums(path: Path, state: dict[str, Tensor], expected: dict[str, int]) -> None:
    """Raises CheckpointError where a bit of a weight has flipped; files of earlier versions have no sums."""
    for name, value in state.items():
        if name in expected and _checksum(value) != expected[name]:
            raise CheckpointError(
                f"{path}: weight {name} does not fit its checksum; the file is damaged, copy it again"
            )
