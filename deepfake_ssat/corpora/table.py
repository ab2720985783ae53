"""A CSV with the columns path and label, and optionally method, split, identity (several with ``;``).

Paths are relative to the CSV's folder, or absolute. Without a split column, splits come from a hash of the
identity (else of the path): 80 % train, 10 % val, 10 % test; rows that share an identity stay together.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from deepfake_ssat.corpora.index import ORIGINAL, CorpusIndex, CorpusOptions, LeftOut, unique_ids
from deepfake_ssat.corpora.splits import split_by_hash
from deepfake_ssat.errors import CorpusError
from deepfake_ssat.records import FAKE, REAL, SPLITS, SourceVideo

LABELS = {"0": REAL, "real": REAL, "1": FAKE, "fake": FAKE, "": None}
REQUIRED_COLUMNS = ("path", "label")
OPTIONAL_COLUMNS = ("method", "split", "identity")


def index_csv(root: Path, options: CorpusOptions) -> CorpusIndex:
    """The rows of the CSV file ``root``; absent files are reported."""
    rows = _read_rows(root)
    paths = [root.parent / row["path"].strip() for row in rows]
    ids = unique_ids(paths, root.parent)
    videos, left_out = [], []
    for line, (row, path, video_id) in enumerate(zip(rows, paths, ids, strict=True), start=2):
        if path.is_file():
            videos.append(_source_video(row, path, video_id, f"{root}, line {line}"))
        else:
            left_out.append(LeftOut(row["path"], "named in the CSV, not there"))
    if not videos:
        raise CorpusError(
            f"{root}: none of its {len(rows)} files is there; paths are relative to {root.parent}"
        )
    return CorpusIndex(tuple(videos if videos[0].split else split_by_hash(videos)), tuple(left_out))


def _read_rows(root: Path) -> list[dict[str, str]]:
    if not root.is_file():
        raise CorpusError(f"{root}: is no file; give the CSV itself, with columns path,label")
    with root.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        columns = reader.fieldnames or []
        missing = [name for name in REQUIRED_COLUMNS if name not in columns]
        if missing:
            raise CorpusError(
                f"{root}: has no column {missing[0]!r}; needed: {', '.join(REQUIRED_COLUMNS)}; "
                f"optional: {', '.join(OPTIONAL_COLUMNS)}"
            )
        rows = [{name: row.get(name) or "" for name in columns} for row in reader]
    with_split = [row for row in rows if row.get("split", "").strip()]
    if with_split and len(with_split) < len(rows):
        raise CorpusError(
            f"{root}: {len(rows) - len(with_split)} rows have no split; give all of them or none"
        )
    return rows


def _source_video(row: Mapping[str, str], path: Path, video_id: str, place: str) -> SourceVideo:
    label_text, split = row["label"].strip().lower(), row.get("split", "").strip()
    if label_text not in LABELS:
        raise CorpusError(f"{place}: label {row['label']!r} is none of 0, real, 1, fake (or empty)")
    if split and split not in SPLITS:
        raise CorpusError(f"{place}: split {split!r} is none of {', '.join(SPLITS)}")
    label = LABELS[label_text]
    identities = tuple(name.strip() for name in row.get("identity", "").split(";") if name.strip())
    method = row.get("method", "").strip() or "fake"
    return SourceVideo(
        path=path,
        video_id=video_id,
        label=label,
        corpus="csv",
        manipulation={REAL: ORIGINAL, FAKE: method, None: "unlabelled"}[label],
        split=split,
        identities=identities,
        group=identities[0] if identities else video_id,
    )
