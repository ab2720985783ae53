"""Which rows of a manifest are meant, who is in them, and that nobody is in two splits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from deepfake_ssat.config import Selection
from deepfake_ssat.errors import ManifestError
from deepfake_ssat.records import REAL, SPLITS, ManifestRow, SourceVideo

PLURALS = {
    "splits": "split",
    "manipulations": "manipulation",
    "compressions": "compression",
    "corpora": "corpus",
}
COMPRESSION_ALIASES = {"c0": "raw"}


def select(rows: Iterable[ManifestRow], selection: Selection) -> list[ManifestRow]:
    """The labelled rows that pass the filter, in order; manipulations filter the fakes only.

    Raises ManifestError, naming what exists, when nothing is left.
    """
    rows = list(rows)
    compressions = {COMPRESSION_ALIASES.get(name, name) for name in selection.compressions}
    selected = [
        row
        for row in rows
        if row.label is not None
        and (not selection.splits or row.split in selection.splits)
        and (not selection.corpora or row.corpus in selection.corpora)
        and (not compressions or row.compression in compressions)
        and (row.label == REAL or not selection.manipulations or row.manipulation in selection.manipulations)
    ]
    if selected:
        return selected
    wanted = "; ".join(
        f"{name} {', '.join(values)}" for name, values in selection.model_dump().items() if values
    )
    present = "; ".join(
        f"{plural} {', '.join(sorted({str(getattr(row, name)) for row in rows} - {''})) or '(none)'}"
        for plural, name in PLURALS.items()
    )
    raise ManifestError(
        f"no labelled clip with {wanted or 'any value'}; the manifest has {present}; choose among them, such "
        "as --split val"
    )


def check_leaks(videos: Iterable[SourceVideo | ManifestRow]) -> None:
    """Refuses a person (target or source) or a group of one corpus in two splits, naming the offenders."""
    places: dict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
    for video in videos:
        names = dict.fromkeys(video.identities, "identity")
        if video.group:
            names.setdefault(video.group, "group")
        for name, kind in names.items():
            places[video.corpus, kind, name].setdefault(video.split, video.video_id)
    offenders = {key: where for key, where in places.items() if len(where) > 1}
    if not offenders:
        return
    shown = [
        f"{corpus} {kind} {name} in "
        + " and ".join(f"{split} ({where[split]})" for split in SPLITS if split in where)
        for (corpus, kind, name), where in list(offenders.items())[:3]
    ]
    more = f"; and {len(offenders) - 3} more" if len(offenders) > 3 else ""
    raise ManifestError(
        f"{len(offenders)} identities or groups are in two splits: {'; '.join(shown)}{more}; "
        "correct the split lists, or leave one of the splits out"
    )


def people(videos: Iterable[SourceVideo | ManifestRow]) -> list[str]:
    """Everyone in the videos, and their groups, as ``corpus/name``, sorted: what a checkpoint has seen."""
    return sorted(
        {f"{video.corpus}/{name}" for video in videos for name in (*video.identities, video.group) if name}
    )
