"""A CSV with the columns path and label, and what else is known of each video.

Paths are relative to the CSV's folder, or absolute: videos, still pictures, or folders of extracted frames.
Optional columns: ``corpus``; ``video``, its id in place of the path; ``method`` (or ``manipulation``);
``split``; ``identity`` (or ``person``; several with ``;``); ``compression``; ``original``, the id of the
genuine video that a fake was made from; ``aligned``, 0 where it is not frame for frame with that;
``certainty``, of which a ``guess`` is left out unless it is asked for. Without a split column, splits come
from a hash of the identity (else of the original, else of the path): 80 % train, 10 % val, 10 % test; rows
that share one stay together.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from deepfake_ssat.corpora.files import VIDEO_SUFFIXES, has_suffix
from deepfake_ssat.corpora.index import (
    ORIGINAL,
    WHERE_CROPS_ARE_TAKEN,
    CorpusIndex,
    CorpusOptions,
    LeftOut,
    safe_id,
    unique_ids,
)
from deepfake_ssat.corpora.splits import split_by_hash
from deepfake_ssat.errors import CorpusError
from deepfake_ssat.records import FAKE, REAL, SPLITS, SourceVideo
from deepfake_ssat.text import TableRow, read_table

LABELS = {"0": REAL, "real": REAL, "1": FAKE, "fake": FAKE, "": None}
REQUIRED_COLUMNS = ("path", "label")
OTHER_NAMES = {"manipulation": "method", "person": "identity"}
GUESS = "guess"
CORPUS_NAME = re.compile(r"[\w-]+")


def index_csv(root: Path, options: CorpusOptions) -> CorpusIndex:
    """The rows of the CSV file ``root``; absent files, and labels that are guesses, are reported."""
    rows = _read_rows(root)
    paths = [root.parent / row.values["path"] for row in rows]
    ids = unique_ids(paths, root.parent)
    videos, left_out = [], []
    for row, path, name in zip(rows, paths, ids, strict=True):
        reason = _why_left_out(row.values, path, options)
        if reason:
            left_out.append(LeftOut(row.values["path"], reason))
        else:
            videos.append(source_video(row.values, path, name, f"{root}, line {row.line}"))
    if not videos:
        reasons = ", ".join(dict.fromkeys(item.reason for item in left_out))
        raise CorpusError(
            f"{root}: none of its {len(rows)} files is left ({reasons}); paths are relative to {root.parent}"
        )
    _require_splits_of_all(videos, root)
    if not options.crops:
        _require_different(videos, root)
    return CorpusIndex(tuple(videos if videos[0].split else split_by_hash(videos)), tuple(left_out))


def _read_rows(root: Path) -> list[TableRow]:
    """Rows without space around values, columns by the first of their names."""
    if not root.is_file():
        raise CorpusError(f"{root}: is no file; give the CSV itself, with columns path,label")
    return [
        TableRow(row.line, {OTHER_NAMES.get(name, name): value.strip() for name, value in row.values.items()})
        for row in read_table(root, REQUIRED_COLUMNS)
    ]


def _why_left_out(row: Mapping[str, str], path: Path, options: CorpusOptions) -> str:
    """Empty where it is taken."""
    if options.crops and has_suffix(path.name, VIDEO_SUFFIXES):
        return WHERE_CROPS_ARE_TAKEN
    if row.get("certainty") == GUESS and not options.keep_guesses:
        return "its label is a guess (--keep-guesses takes it)"
    return "" if path.exists() else "named in the CSV, not there"


def _require_splits_of_all(videos: Sequence[SourceVideo], root: Path) -> None:
    without = sum(not video.split for video in videos)
    if 0 < without < len(videos):
        raise CorpusError(f"{root}: {without} rows have no split; give all of them or none")


def _require_different(videos: Sequence[SourceVideo], root: Path) -> None:
    names = Counter((video.corpus, video.video_id) for video in videos)
    twice = next((name for name, times in names.items() if times > 1), None)
    if twice:
        raise CorpusError(
            f"{root}: video {'/'.join(twice)} is listed twice; list each video once (several face crops of "
            "one are taken with --crops)"
        )


def source_video(row: Mapping[str, str], path: Path, name: str, place: str) -> SourceVideo:
    """The video of a row, columns by the first of their names; ``name`` is its id where the row has none.

    ``place`` names the row in errors. Without a column ``split`` it is of none.
    """
    label = _label(row, place)
    split, corpus = row.get("split", ""), row.get("corpus") or "csv"
    if split and split not in SPLITS:
        raise CorpusError(f"{place}: split {split!r} is none of {', '.join(SPLITS)}")
    if not CORPUS_NAME.fullmatch(corpus):
        raise CorpusError(f"{place}: corpus {corpus!r} is no name; write it in letters, digits, - and _")
    aligned = row.get("aligned", "")
    if aligned not in ("", "0", "1"):
        raise CorpusError(f"{place}: aligned {aligned!r} is neither 0 nor 1 (nor empty: as if it were 1)")
    identities = tuple(name.strip() for name in row.get("identity", "").split(";") if name.strip())
    video_id = safe_id(row.get("video", "")) or name
    original = safe_id(row.get("original", "")) if label == FAKE else ""
    # Where originals are told they bind the rows together, and people bind by themselves.
    group = original or (identities[0] if identities and not row.get("video") else video_id)
    return SourceVideo(
        path=path,
        video_id=video_id,
        label=label,
        corpus=corpus,
        manipulation={REAL: ORIGINAL, FAKE: row.get("method") or "fake", None: "unlabelled"}[label],
        split=split,
        identities=identities,
        group=group,
        compression=row.get("compression", ""),
        original_id=original,
        is_aligned=aligned != "0",
    )


def _label(row: Mapping[str, str], place: str) -> int | None:
    text = row["label"].lower()
    if text not in LABELS:
        raise CorpusError(f"{place}: label {row['label']!r} is none of 0, real, 1, fake (or empty)")
    return LABELS[text]
