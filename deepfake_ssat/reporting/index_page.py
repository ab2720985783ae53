"""The index page of a folder of reports: one row a video, to sort and to filter; failures listed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deepfake_ssat.records import Status, Verdict
from deepfake_ssat.reporting.html import filled_template
from deepfake_ssat.reporting.verdict_words import headline, probability_text
from deepfake_ssat.video.download import is_link

KINDS = [Verdict.FAKE, Verdict.UNCERTAIN, Verdict.REAL, Status.NO_FACE, Status.TOO_SHORT, Status.UNREADABLE]
"""In the order in which the index offers them: what to look at first."""


@dataclass(frozen=True)
class IndexRow:
    """One judged video and its page."""

    record: Mapping[str, Any]
    """Its element of the JSON document's ``videos``."""
    page: str
    """The report's file name, beside the index."""
    thumbnail: str
    """The file name of a picture of the deciding face, beside the index; empty where there is none."""


def render_index(rows: Sequence[IndexRow], num_waiting: int, command: str, note: str = "") -> bytes:
    """The HTML of the index; ``num_waiting`` videos are still to come."""
    names = names_below([row.record["path"] for row in rows])
    listed = [_listed(row, name) for row, name in zip(rows, names, strict=True)]
    counts = Counter(row["kind"] for row in listed)
    results = {row["kind"]: row["result"] for row in listed}
    unscored = [row for row in listed if row["probability"] == ""]
    return filled_template(
        "index.html",
        rows=listed,
        kinds=[(kind, results[kind], counts[kind]) for kind in KINDS if kind in results],
        unscored=unscored,
        num_scored=len(listed) - len(unscored),
        num_waiting=num_waiting,
        command=command,
        note=note,
    )


def names_below(paths: Sequence[str]) -> list[str]:
    """Paths without the folder that all lie in, which tells of the machine; addresses as they are."""
    folders = [os.path.dirname(os.path.abspath(path)) for path in paths if not is_link(path)]
    common = os.path.commonpath(folders) if folders else ""
    return [
        path if is_link(path) else os.path.relpath(os.path.abspath(path), common).replace(os.sep, "/")
        for path in paths
    ]


def _listed(row: IndexRow, name: str) -> dict[str, Any]:
    record, verdict = row.record, row.record["verdict"]
    result = headline(Status(record["status"]), Verdict(verdict) if verdict else None)
    reason = "; ".join(record["warnings"]).replace(record["path"], name) or result
    return {
        "name": name,
        "page": row.page,
        "thumbnail": row.thumbnail,
        "result": result,
        "kind": verdict or record["status"],
        "score": "" if record["probability"] is None else f"{record['probability']:.6f}",
        "probability": probability_text(record["probability"]),
        "faces": len(record["faces"]),
        "reason": reason if reason.startswith(name) else f"{name}: {reason}",
    }
