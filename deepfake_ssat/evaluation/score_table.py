"""A table of anybody's scores: a line for each video, or for each of its frames or clips, with its label.

Columns, in any letters, are those of a ``csv`` corpus (``corpora/table.py``), with ``path`` or ``video``, and
``score``. A video without a score says why in a column ``status``.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deepfake_ssat.corpora.deepfakebench import frame_folder, listed_videos
from deepfake_ssat.corpora.index import unique_ids
from deepfake_ssat.corpora.table import OTHER_NAMES, source_video
from deepfake_ssat.errors import ConfigError, TextError
from deepfake_ssat.models.checkpoint import file_hash
from deepfake_ssat.records import DroppedVideo, SourceVideo, Status
from deepfake_ssat.text import TableRow, read_table

COLUMN_NAMES = {
    **OTHER_NAMES,
    **dict.fromkeys(("image", "file"), "path"),
    "video_id": "video",
    "dataset": "corpus",
    **dict.fromkeys(("probability", "prob", "prediction", "pred"), "score"),
}
"""Other names of columns."""


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit > 0 else math.exp(logit) / (1 + math.exp(logit))


SCORE_KINDS: dict[str, Callable[[float], float]] = {
    "fake": lambda score: score,
    "real": lambda score: 1 - score,
    "logit": _sigmoid,
}
"""What scores are: probabilities of fake or of real, or logits of fake; -> the probability of fake."""


@dataclass(frozen=True)
class ScoreTable:
    """The videos of a table, in their order."""

    path: Path
    sha256: str
    scores: Mapping[SourceVideo, Sequence[float]]
    """The probabilities of fake of a video's lines, at least one."""
    dropped: tuple[DroppedVideo, ...]


def read_scores(path: Path, kind: str = "fake", labels: Path | None = None) -> ScoreTable:
    """Reads a table, whose videos are described by itself or by ``labels``, a JSON file of DeepfakeBench.

    Raises DeepfakeError, naming the line, for what is no score, and where lines of one video differ.
    """
    if kind not in SCORE_KINDS:
        raise ConfigError(f"scores of kind {kind!r} are not known: use {', '.join(SCORE_KINDS)}")
    rows = _read_rows(path, labelled=labels is not None)
    videos = _listed(rows, path, labels) if labels is not None else _described(rows, path)
    scores: dict[SourceVideo, list[float]] = defaultdict(list)
    dropped: dict[SourceVideo, DroppedVideo] = {}
    for row, video in zip(rows, videos, strict=True):
        place = f"{path}, line {row.line}"
        if row.values["score"]:
            scores[video].append(_probability(row.values["score"], kind, place))
        else:
            dropped[video] = _dropped(video, row, place)
    twice = next((video for video in dropped if video in scores), None)
    if twice is not None:
        raise TextError(
            f"{path}: of video {twice.video_id} some lines have a score, some do not; leave these out"
        )
    if not scores:
        raise TextError(f"{path}: has no line with a score; give at least one")
    return ScoreTable(path, file_hash(path), dict(scores), tuple(dropped.values()))


def _read_rows(path: Path, labelled: bool) -> list[TableRow]:
    """Rows under the columns' first names, without space around values."""
    rows = read_table(path)
    if not rows:
        raise TextError(f"{path}: has no line below its header; give at least one score")
    names: dict[str, str] = {}
    for given in rows[0].values:
        name = COLUMN_NAMES.get(given.lower(), given.lower())
        if name in names.values() and name in ("path", "video", "score", "label"):
            first = next(column for column, its in names.items() if its == name)
            raise TextError(f"{path}: columns {first!r} and {given!r} both give the {name}; leave one out")
        names[given] = name
    needed = [("score",), ("path",)] if labelled else [("score",), ("label",), ("path", "video")]
    for choice in needed:
        if not set(choice) & set(names.values()):
            raise TextError(
                f"{path}: has no column {' or '.join(choice)}; its first line must name "
                f"{', '.join(' or '.join(one) for one in needed)}"
            )
    return [
        TableRow(row.line, {names[given]: value.strip() for given, value in row.values.items()})
        for row in rows
    ]


def _described(rows: Sequence[TableRow], path: Path) -> list[SourceVideo]:
    """The video of each row, by its own columns; without a column ``video`` each row is another."""
    for row in rows:
        if not row.values.get("video") and not row.values.get("path"):
            raise TextError(f"{path}, line {row.line}: names no video; give its path, or its id as video")
    unnamed = [row for row in rows if not row.values.get("video")]
    paths = [path.parent / row.values["path"] for row in unnamed]
    ids = {row.line: name for row, name in zip(unnamed, unique_ids(paths, path.parent), strict=True)}
    first: dict[tuple[str, str], tuple[int, SourceVideo]] = {}
    videos = []
    for row in rows:
        source = Path(row.values.get("path") or row.values["video"])
        video = source_video(row.values, source, ids.get(row.line, ""), f"{path}, line {row.line}")
        line, known = first.setdefault((video.corpus, video.video_id), (row.line, video))
        if replace(video, path=known.path) != known:
            raise TextError(
                f"{path}: lines {line} and {row.line} are of video {video.video_id} and differ in label, "
                "method, split or another column; give all its lines the same"
            )
        videos.append(known)
    return videos


def _listed(rows: Sequence[TableRow], path: Path, labels: Path) -> list[SourceVideo]:
    """The video of each row, which is one of its frames."""
    listed = listed_videos(labels)
    for row in rows:
        if frame_folder(row.values["path"]) not in listed:
            raise TextError(
                f"{path}, line {row.line}: {row.values['path']} is a frame of no video of {labels}; give "
                "paths as that file writes them"
            )
    return [listed[frame_folder(row.values["path"])] for row in rows]


def _probability(text: str, kind: str, place: str) -> float:
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise TextError(f"{place}: score {text!r} is no number; give one, or none and a status")
    if kind != "logit" and not 0 <= score <= 1:
        raise TextError(
            f"{place}: score {text} is no probability; give 0 to 1, or say --score-kind logit if it is one"
        )
    return SCORE_KINDS[kind](score)


def _dropped(video: SourceVideo, row: TableRow, place: str) -> DroppedVideo:
    known = [status.value for status in Status if status is not Status.SCORED]
    status = row.values.get("status", "")
    if status not in known:
        raise TextError(
            f"{place}: has no score; leave the line out, or say why in a column status: {', '.join(known)}"
        )
    return DroppedVideo(
        corpus=video.corpus,
        video_id=video.video_id,
        source=str(video.path),
        split=video.split,
        label=video.label,
        manipulation=video.manipulation,
        reason=Status(status),
        detail=row.values.get("detail", ""),
        compression=video.compression,
    )
