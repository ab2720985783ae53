"""What identifies a judged file, for verdicts and reports: size, SHA-256, date."""

from __future__ import annotations

import os
from datetime import datetime, timezone

from deepfake_ssat.models.checkpoint import file_hash
from deepfake_ssat.records import FileFacts


def file_facts(path: str) -> FileFacts | None:
    """Of a regular file; None for anything else, and for a file that may not be read."""
    if not os.path.isfile(path):
        return None
    try:
        facts, sha256 = os.stat(path), file_hash(path)
    except OSError:
        return None
    return FileFacts(facts.st_size, sha256, _date(facts.st_mtime))


def _date(timestamp: float) -> str | None:
    """File systems hold dates for which there is no calendar, such as of a clock that ran wild."""
    try:
        return in_utc(timestamp)
    except (ValueError, OverflowError, OSError):
        return None


def in_utc(timestamp: float) -> str:
    """Seconds since 1970 as ISO 8601, to the second."""
    return datetime.fromtimestamp(timestamp, timezone.utc).isoformat(timespec="seconds")
