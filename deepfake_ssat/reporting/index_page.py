"""The index page of a folder of reports: one row a video, sortable, failures listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deepfake_ssat.records import Status, Verdict
from deepfake_ssat.reporting.page import filled_template, headline, probability_text


@dataclass(frozen=True)
class IndexRow:
    """One judged video and its page."""

    record: Mapping[str, Any]
    """Its element of the JSON document's ``videos``."""
    page: str
    """The report's file name, beside the index."""


def render_index(rows: Sequence[IndexRow], num_waiting: int, command: str) -> bytes:
    """The HTML of the index; ``num_waiting`` videos are still to come."""
    listed = [
        {
            "path": row.record["path"],
            "page": row.page,
            "result": headline(
                Status(row.record["status"]),
                Verdict(row.record["verdict"]) if row.record["verdict"] else None,
            ),
            "kind": row.record["verdict"] or row.record["status"],
            "probability": probability_text(row.record["probability"]),
            "faces": len(row.record["faces"]),
            "warnings": row.record["warnings"],
        }
        for row in rows
    ]
    unscored = [row for row, source in zip(listed, rows, strict=True) if source.record["probability"] is None]
    return filled_template(
        "index.html", rows=listed, unscored=unscored, num_waiting=num_waiting, command=command
    )
