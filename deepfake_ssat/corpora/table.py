"""A CSV with the columns path and label, and optionally method, split, identity (several with ``;``).

Paths are relative to the CSV's folder, or absolute: videos, still pictures, or folders of a video's extracted
frames. Without a split column, splits come from a hash of the
identity (else of the path): 80 % train, 10 % val, 10 % test; rows that share an identity stay together.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from deepfake_ssat.corpora.index import ORIGINAL, CorpusIndex, CorpusOptions, LeftOut, unique_ids
from deepfake_ssat.corpora.splits import split_by_hash
from deepfake_ssat.errors import CorpusError
from deepfake_ssat.records import FAKE, REAL, SPLITS, SourceVideo
from deepfake_ssat.text import TableRow, read_table

LABELS = {"0": REAL, "real": REAL, "1": FAKE, "fake": FAKE, "": None}
REQUIRED_COLUMNS = ("path", "label")


def index_csv(root: Path, options: CorpusOptions) -> CorpusIndex:
    """The rows of the CSV file ``root``; absent files are reported."""
    rows = _read_rows(root)
    paths = [root.parent / row.values["path"].strip() for row in rows]
    ids = unique_ids(paths, root.parent)
    videos, left_out = [], []
    for row, path, video_id in zip(rows, paths, ids, strict=True):
        if path.exists():
            videos.append(_source_video(row.values, path, video_id, f"{root}, line {row.line}"))
        else:
            left_out.append(LeftOut(row.values["path"], "named in the CSV, not there"))
    if not videos:
        raise CorpusError(
            f"{root}: none of its {len(rows)} files is there; paths are relative to {root.parent}"
        )
    return CorpusIndex(tuple(videos if videos[0].split else split_by_hash(videos)), tuple(left_out))


def _read_rows(root: Path) -> list[TableRow]:
    if not root.is_file():
        raise CorpusError(f"{root}: is no file; give the CSV itself, with columns path,label")
    rows = read_table(root, REQUIRED_COLUMNS)
    without = sum(not row.values.get("split", "").strip() for row in rows)
    if 0 < without < len(rows):
        raise CorpusError(f"{root}: {without} rows have no split; give all of them or none")
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
