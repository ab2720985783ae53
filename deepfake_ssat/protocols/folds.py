"""The folds of cross-manipulation: which manipulation is held out, what is trained on, what is judged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepfake_ssat.config import Experiment, FaceClips, Selection
from deepfake_ssat.errors import CheckpointError, ConfigError
from deepfake_ssat.manifest import Manifest, select
from deepfake_ssat.models.checkpoint import file_hash
from deepfake_ssat.models.timm_library import is_published
from deepfake_ssat.protocols.settings import deciding_settings
from deepfake_ssat.records import FAKE, REAL, ManifestRow

FOLDS_FOLDER = "folds"


@dataclass(frozen=True)
class Fold:
    """One held-out manipulation."""

    held_out: str
    pool: tuple[str, ...]
    """The manipulations of the training data, the held-out one included where it is one of them."""
    judged: Selection
    root: Path

    @property
    def trained_on(self) -> tuple[str, ...]:
        """What is left of the pool."""
        return tuple(name for name in self.pool if name != self.held_out)

    @property
    def training(self) -> Path:
        """The run folder of ``train``."""
        return self.root / "train"

    @property
    def evaluation(self) -> Path:
        """The output folder of ``evaluate``."""
        return self.root / "evaluation"

    def of(self, experiment: Experiment) -> Experiment:
        """The experiment on what this fold trains on and validates with."""
        data = experiment.data
        assert isinstance(data, FaceClips)
        only = {"manipulations": self.trained_on}
        kept = {split: getattr(data, split).model_copy(update=only) for split in ("train", "val")}
        return experiment.model_copy(update={"data": data.model_copy(update=kept)})


def require_face_clips(experiment: Experiment, config: Path) -> FaceClips:
    """The data section; raises ConfigError where there is no manipulation to hold out."""
    if not isinstance(experiment.data, FaceClips):
        raise ConfigError(f"{config}: data.kind is {experiment.data.kind}, held-out folds need face_clips")
    if not experiment.objective.classifies:
        name = experiment.objective.name
        raise ConfigError(f"{config}: objective {name} trains no classifier to judge; take one that does")
    return experiment.data


def plan_folds(
    manifest: Manifest, data: FaceClips, split: str, hold_out: Sequence[str], out: Path
) -> list[Fold]:
    """One fold for each manipulation of the training split, or for each in ``hold_out``.

    Trained on: the manipulations of ``data.train`` that are not held out. Raises ConfigError where a fold
    would have nothing to train on, or no fakes or originals to be judged on.
    """
    pool = _manipulations(select(manifest.rows, data.train))
    if not pool:
        raise ConfigError("the training data are originals only: there is no manipulation to hold out")
    folds = []
    for held_out in dict.fromkeys(hold_out or pool):
        judged = _judged(manifest, data, split, held_out)
        fold = Fold(held_out, pool, judged, out / FOLDS_FOLDER / held_out)
        if not fold.trained_on:
            raise ConfigError(f"holding out {held_out} leaves no fakes to train on: there are no others")
        folds.append(fold)
    return folds


def settings_of(experiment: Experiment, pool: Sequence[str]) -> dict[str, Any]:
    """What must be the same in all folds, wherever they run: no paths, no hardware, no held-out names.

    Initial weights are named by their hash, those that timm publishes by their name. Raises CheckpointError
    where they cannot be read.
    """
    values = comparable_config(experiment)
    values["init_sha256"] = None
    if experiment.init is not None and is_published(experiment.init):
        values["init"] = str(experiment.init)
    elif experiment.init is not None:
        try:
            values["init_sha256"] = file_hash(experiment.init)
        except OSError as error:
            raise CheckpointError(
                f"{experiment.init}: initial weights cannot be read ({error.strerror}); set init"
            ) from error
    return {**values, "manipulations": list(pool)}


def comparable_config(experiment: Experiment) -> dict[str, Any]:
    """The part of ``settings_of`` that the configuration alone decides."""
    values = deciding_settings(experiment.model_dump(mode="json", exclude={"init"}))
    for split in ("train", "val"):
        del values["data"][split]["manipulations"]
    return {"seed": experiment.seed, **values}


def settings_hash(settings: dict[str, Any]) -> str:
    """SHA-256 of the settings in a canonical form."""
    canonical = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _manipulations(rows: Sequence[ManifestRow]) -> tuple[str, ...]:
    return tuple(sorted({row.manipulation for row in rows if row.label == FAKE}))


def _judged(manifest: Manifest, data: FaceClips, split: str, held_out: str) -> Selection:
    """The held-out fakes of a split and the originals of their corpora, in ``data.val``'s compressions."""
    wanted = Selection(splits=(split,), compressions=data.val.compressions, corpora=data.val.corpora)
    rows = select(manifest.rows, wanted)
    corpora = tuple(sorted({row.corpus for row in rows if row.manipulation == held_out}))
    if not corpora:
        raise ConfigError(
            f"there is no {held_out} in split {split} to judge; it has "
            f"{', '.join(_manipulations(rows)) or 'originals only'} (--split chooses another split)"
        )
    if not any(row.label == REAL and row.corpus in corpora for row in rows):
        raise ConfigError(
            f"split {split} has no originals of {', '.join(corpora)} to judge {held_out} against"
        )
    return wanted.model_copy(update={"corpora": corpora, "manipulations": (held_out,)})
