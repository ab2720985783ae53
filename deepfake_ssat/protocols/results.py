"""What one fold of cross-manipulation found, and its file fold.json: all that tables and merging need."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deepfake_ssat.errors import ConfigError
from deepfake_ssat.records import Estimate
from deepfake_ssat.text import parse_json

FOLD_FILE = "fold.json"
SCHEMA_VERSION = "1.0"


@dataclass(frozen=True)
class JudgedVideo:
    """One labelled video of the held-out manipulation or of the originals, with its score."""

    name: str
    """``corpus/video_id``."""
    label: int
    probability: float


@dataclass(frozen=True)
class FoldResult:
    """One held-out manipulation: what was trained, what was judged, how well."""

    method: str
    """The configuration's name: a row of the table."""
    held_out: str
    trained_on: tuple[str, ...]
    settings: dict[str, Any]
    """The experiment without what differs between folds and machines; the hash stands for it."""
    settings_sha256: str
    manifest_sha256: str
    checkpoint_sha256: str
    selection: dict[str, Any]
    """Which videos were judged: splits, manipulations, compressions, corpora."""
    unofficial: str
    """Why the paper's numbers cannot stand beside these; empty where the data are the official ones."""
    threshold: float | None
    threshold_source: str
    num_real: int
    num_fake: int
    dropped_real: int
    """Judged videos that gave no clip."""
    dropped_fake: int
    metrics: dict[str, Estimate]
    """By name, over videos."""
    videos: tuple[JudgedVideo, ...]
    warnings: tuple[str, ...]
    facts: dict[str, Any]
    """JSON values: command, version, training command, epoch and validation metrics of the weights."""

    @property
    def manipulations(self) -> tuple[str, ...]:
        """All that are held out in turn."""
        return tuple(sorted({*self.trained_on, self.held_out}))


def fold_json(fold: FoldResult) -> str:
    """The text of fold.json."""
    return json.dumps({"schema_version": SCHEMA_VERSION, **asdict(fold)}, indent=1, allow_nan=False) + "\n"


def read_fold(file: Path) -> FoldResult:
    """Reads fold.json; raises ConfigError where it is damaged or of another version."""
    try:
        values = parse_json(file.read_text(encoding="utf-8"))
        version = values.pop("schema_version")
        if version != SCHEMA_VERSION:
            raise ValueError(f"schema_version {version} instead of {SCHEMA_VERSION}")
        values["metrics"] = {name: Estimate(**estimate) for name, estimate in values["metrics"].items()}
        values["videos"] = tuple(JudgedVideo(**video) for video in values["videos"])
        values |= {name: tuple(values[name]) for name in ("trained_on", "warnings")}
        return FoldResult(**values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{file}: cannot be read as a fold ({error}); remove it and run the fold again"
        ) from error
