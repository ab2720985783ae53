"""Whether a fold is the paper's: the complete official FaceForensics++, so that numbers can be compared."""

from __future__ import annotations

from collections.abc import Iterator

from deepfake_ssat.config import FaceClips, Selection
from deepfake_ssat.corpora.ffpp import BUNDLED_SPLITS, read_splits
from deepfake_ssat.manifest import COMPRESSION_ALIASES, Manifest
from deepfake_ssat.protocols.folds import Fold
from deepfake_ssat.protocols.paper import MANIPULATIONS
from deepfake_ssat.records import REAL, SPLITS

CORPUS = "ffpp"


def why_unofficial(manifest: Manifest, data: FaceClips, fold: Fold) -> str:
    """The first reason why a fold is not the paper's protocol; empty where it is.

    The paper's: 720 / 140 / 140 originals and as many fakes of each of four manipulations, by the official
    split lists, in one compression; judged on the test split. Videos without a usable face count as there.
    """
    if {*fold.trained_on, fold.held_out} != set(MANIPULATIONS):
        used = ", ".join(sorted({*fold.trained_on, fold.held_out}))
        return f"the manipulations are {used}, the paper's {', '.join(MANIPULATIONS)}"
    for wanted, selection in (("train", data.train), ("val", data.val), ("test", fold.judged)):
        if selection.splits != (wanted,):
            purpose = {"train": "trained", "val": "validated", "test": "judged"}[wanted]
            return f"{purpose} on split {', '.join(selection.splits) or 'all'}, the paper on {wanted}"
    return _why_incomplete(manifest, {"train": data.train, "val": data.val, "test": fold.judged})


def _why_incomplete(manifest: Manifest, selections: dict[str, Selection]) -> str:
    official = read_splits(BUNDLED_SPLITS)
    expected = {split: {name for name, its in official.items() if its == split} for split in SPLITS}
    compressions: set[str] = set()
    for split, selection in selections.items():
        found: dict[str, set[str]] = {name: set() for name in ("original", *MANIPULATIONS)}
        for manipulation, compression, target in _videos(manifest, split, selection):
            if manipulation not in found:
                continue
            found[manipulation].add(target)
            compressions.add(compression)
        for manipulation, targets in found.items():
            if targets != expected[split]:
                return (
                    f"split {split} has {len(targets & expected[split])} of the official "
                    f"{len(expected[split])} {manipulation} videos"
                    + (f" and {len(targets - expected[split])} others" * bool(targets - expected[split]))
                )
    if len(compressions) != 1:
        return f"the compressions {', '.join(sorted(compressions))} are mixed, the paper has one"
    return ""


def _videos(manifest: Manifest, split: str, selection: Selection) -> Iterator[tuple[str, str, str]]:
    """(manipulation, compression, target id) of the videos of a split, those without a clip included."""
    compressions = {COMPRESSION_ALIASES.get(name, name) for name in selection.compressions}
    for video in (*manifest.rows, *manifest.dropped):
        # FaceForensics++'s names are <folder>/<compression>/<target>[_<source>].
        parts = video.video_id.split("/")
        if video.split != split or video.corpus != CORPUS or len(parts) != 3:
            continue
        if selection.corpora and video.corpus not in selection.corpora:
            continue
        if compressions and video.compression not in compressions:
            continue
        manipulation = "original" if video.label == REAL else video.manipulation
        yield manipulation, video.compression, parts[2].split("_")[0]
