"""The videos that calibrate: labelled, of people the model was not trained on, enough of each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deepfake_ssat.calibration.enough import require_enough
from deepfake_ssat.config import Selection
from deepfake_ssat.errors import ConfigError, ManifestError
from deepfake_ssat.inference.detector import Detector
from deepfake_ssat.manifest import Manifest, load_manifest, people, select
from deepfake_ssat.records import FAKE, REAL, ManifestRow


@dataclass(frozen=True)
class ChosenPart:
    """What one manifest gives."""

    manifest: Manifest
    rows: list[ManifestRow]
    """Of the labelled videos of the selection."""


def choose_parts(detector: Detector, paths: Sequence[Path], selection: Selection) -> list[ChosenPart]:
    """The selected videos of each manifest.

    Raises ManifestError, ContractError or ConfigError for clips that were cut otherwise than the
    checkpoint's, a video in two manifests, too few videos of a class, and people that the model was trained
    on.
    """
    parts = []
    for path in paths:
        manifest = load_manifest(path)
        detector.contract.require_readable(
            manifest.contract, ours=f"checkpoint {detector.path}", theirs=f"manifest {manifest.root}"
        )
        try:
            parts.append(ChosenPart(manifest, select(manifest.rows, selection)))
        except ManifestError as error:
            raise ManifestError(f"{manifest.root}: {error}") from error
    _require_distinct(parts)
    numbers = {"genuine videos": _num_videos(parts, REAL), "manipulated videos": _num_videos(parts, FAKE)}
    require_enough(numbers, "give more manifests or splits")
    known = set((detector.checkpoint.provenance.get("seen") or {}).get("train", ()))
    if trained := _videos_with(known, parts):
        raise ConfigError(
            f"{len(trained)} of {_num_videos(parts)} videos show people or scenes that the checkpoint was "
            f"trained on, such as {trained[0]}: their scores are too good to calibrate by; choose other "
            "videos (--split val)"
        )
    return parts


def doubts(detector: Detector, parts: Sequence[ChosenPart]) -> list[str]:
    """Why the calibration may look better than it is."""
    seen = detector.checkpoint.provenance.get("seen")
    if seen is None:
        return ["the checkpoint does not say whom it was trained on: nobody can be recognised as seen"]
    validated = _videos_with(set(seen.get("val", ())), parts)
    if not validated:
        return []
    return [
        f"{len(validated)} of {_num_videos(parts)} videos show people by whom the checkpoint's weights were "
        "chosen among its epochs: their scores may be a little too good"
    ]


def _require_distinct(parts: Sequence[ChosenPart]) -> None:
    owners: dict[tuple[str, str], Path] = {}
    for part in parts:
        for name in {(row.corpus, row.video_id) for row in part.rows}:
            if name in owners:
                raise ConfigError(
                    f"video {'/'.join(name)} is in {owners[name]} and in {part.manifest.root}; give it once"
                )
            owners[name] = part.manifest.root


def _videos_with(known: set[str], parts: Sequence[ChosenPart]) -> list[str]:
    """``corpus/video_id`` of the videos with any of these people."""
    found = {
        f"{row.corpus}/{row.video_id}": None
        for part in parts
        for row in part.rows
        if known and known & set(people([row]))
    }
    return list(found)


def _num_videos(parts: Sequence[ChosenPart], label: int | None = None) -> int:
    """Of one class, or of both."""
    rows = (row for part in parts for row in part.rows)
    return len({(row.corpus, row.video_id) for row in rows if label is None or row.label == label})
