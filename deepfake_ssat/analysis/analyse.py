"""Checkpoints and data in; out comes what their networks learnt, measured on the same samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from deepfake_ssat.analysis.blocks import BlockMeasures, measure_blocks
from deepfake_ssat.analysis.hessian import (
    BATCH_SAMPLES,
    HessianSettings,
    HessianSpectra,
    classifying_parameters,
    measure_hessian,
    require_room,
)
from deepfake_ssat.analysis.maps import SampleMaps, map_sample
from deepfake_ssat.analysis.samples import Samples, draw_samples
from deepfake_ssat.config import VALIDATION_SPLIT, Selection
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.inference.device import resolve_device
from deepfake_ssat.models.checkpoint import Checkpoint, load_checkpoint
from deepfake_ssat.progress import Progress, silent
from deepfake_ssat.provenance import typed_command

PARTS = ("blocks", "hessian", "maps")
"""What can be asked for: attention, distances and variances by block; curvature; single pictures."""
BATCH = {"cpu": 4, "cuda": 16}
HESSIAN = HessianSettings()
"""How much is measured unless asked otherwise."""
NO_BLOCKS = "its network has no plain transformer blocks: no attention, distance or variance"
NO_CLASSIFIER = "was trained without labels: no Hessian of a classification loss, no Grad-CAM"


@dataclass(frozen=True)
class NetworkAnalysis:
    """What was found out about one checkpoint; None where it was not asked for, or cannot be."""

    name: str
    path: str
    sha256: str
    kind: str
    objective: str | None
    """It was trained with; None where the checkpoint does not say."""
    blocks: BlockMeasures | None
    hessian: HessianSpectra | None
    maps: tuple[SampleMaps, ...]
    notes: tuple[str, ...]
    """What could not be measured, and why."""


@dataclass(frozen=True)
class AnalysisReport:
    """Several checkpoints on the same samples."""

    networks: tuple[NetworkAnalysis, ...]
    data: str
    selection: Selection
    unit: str
    """What one sample is."""
    num_samples: int
    seed: int
    provenance: dict[str, Any] = field(default_factory=dict)
    """JSON values: command, device."""


def analyse(
    checkpoints: Mapping[str, Path],
    data: Path,
    *,
    parts: Sequence[str] = PARTS,
    selection: Selection = VALIDATION_SPLIT,
    num_samples: int = 128,
    show: Sequence[str] = (),
    num_shown: int = 4,
    hessian: HessianSettings = HESSIAN,
    device: str = "auto",
    batch: int | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> AnalysisReport:
    """Measures networks, by their names, on samples of ``data``; the same arguments give the same numbers.

    ``data`` is a manifest for models of faces, else where the pictures lie that they were trained on. The
    Hessian takes the first samples, ``BATCH_SAMPLES`` a batch. Raises DeepfakeError for what the user can
    correct, before anything is measured.
    """
    unknown = [part for part in parts if part not in PARTS]
    if unknown or not parts:
        raise ConfigError(f"--only {', '.join(unknown) or 'nothing'}: choose among {', '.join(PARTS)}")
    where = resolve_device(device)
    loaded = {name: load_checkpoint(path, where, decoder=False) for name, path in checkpoints.items()}
    samples = {
        name: draw_samples(checkpoint, data, selection, num_samples, seed)
        for name, checkpoint in loaded.items()
    }
    first = next(iter(samples.values()))
    if "hessian" in parts:
        _check_hessian(loaded, first, hessian)
    shown = first.shown(show, num_shown) if "maps" in parts else ()
    job = _Job(parts, hessian, batch or BATCH[where.type], seed, where, progress)
    return AnalysisReport(
        networks=tuple(
            job.analyse(name, checkpoint, samples[name], shown) for name, checkpoint in loaded.items()
        ),
        data=str(data),
        selection=selection,
        unit=first.unit,
        num_samples=len(first),
        seed=seed,
        provenance={"command": typed_command(), "device": str(where), "torch": str(torch.__version__)},
    )


@dataclass(frozen=True)
class _Job:
    """What is done to every checkpoint."""

    parts: Sequence[str]
    hessian: HessianSettings
    batch: int
    seed: int
    device: torch.device
    progress: Progress

    def analyse(
        self, name: str, checkpoint: Checkpoint, samples: Samples, shown: Sequence[int]
    ) -> NetworkAnalysis:
        network, classifies = checkpoint.model, _classifies(checkpoint)
        token_blocks = network.token_blocks()
        notes = [] if token_blocks is not None else [NO_BLOCKS]
        notes += [] if classifies else [NO_CLASSIFIER]
        blocks, spectra = None, None
        if "blocks" in self.parts and token_blocks is not None:
            with self.progress(f"{name}: blocks", samples.unit, len(samples)) as advance:
                blocks = measure_blocks(network, token_blocks, samples, self.batch, self.device, advance)
        if "hessian" in self.parts and classifies:
            batches = min(self.hessian.batches, len(samples.groups(BATCH_SAMPLES)))
            with self.progress(f"{name}: Hessian", "product", batches * self.hessian.steps) as advance:
                spectra = measure_hessian(
                    network, samples, self.hessian, self.batch, self.seed, self.device, advance
                )
        return NetworkAnalysis(
            name=name,
            path=str(checkpoint.path),
            sha256=checkpoint.hash,
            kind=checkpoint.kind,
            objective=checkpoint.provenance.get("objective", {}).get("name"),
            blocks=blocks,
            hessian=spectra,
            maps=tuple(map_sample(checkpoint, samples, item, classifies=classifies) for item in shown),
            notes=tuple(notes),
        )


def _classifies(checkpoint: Checkpoint) -> bool:
    """Whether its classifier was trained; checkpoints that do not say are of classifiers."""
    return checkpoint.provenance.get("objective", {}).get("name") != "mae"


def _check_hessian(loaded: Mapping[str, Checkpoint], samples: Samples, settings: HessianSettings) -> None:
    """Before minutes of other work, whether there will be room for each."""
    for checkpoint in loaded.values():
        if _classifies(checkpoint):
            parameters = classifying_parameters(checkpoint.model)
            require_room(sum(parameter.numel() for parameter in parameters), settings.steps)
