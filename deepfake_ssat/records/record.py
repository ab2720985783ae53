"""What the records share: their form as JSON, and words and numbers that several of them use."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in pixels of the displayed (rotated) frame."""


def longer_side(box: Box) -> float:
    """In pixels."""
    return max(box[2] - box[0], box[3] - box[1])


def mean_box(boxes: Sequence[Box], weights: Sequence[int] | None = None) -> Box:
    """Of at least one."""
    x0, y0, x1, y1 = np.average(boxes, axis=0, weights=weights).tolist()
    return x0, y0, x1, y1


REAL, FAKE = 0, 1
SPLITS = ("train", "val", "test")


class Record:
    """What a caller is handed: its values as they go into JSON, at full precision."""

    def to_dict(self) -> dict[str, Any]:
        """Dicts, lists, text and numbers."""
        assert is_dataclass(self)
        return {entry.name: _plain(getattr(self, entry.name)) for entry in fields(self)}

    def to_json(self) -> str:
        """The same as text; numbers that are not finite become null."""
        return json.dumps(self.to_dict(), allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value


class Word(str, Enum):
    """A choice that prints as its word."""

    def __str__(self) -> str:
        return self.value


class Status(Word):
    """What became of one video; only a scored video has a probability."""

    SCORED = "scored"
    NO_FACE = "no_face"
    TOO_SHORT = "too_short"
    UNREADABLE = "unreadable"


class Verdict(Word):
    """What a probability means, by the checkpoint's threshold and uncertain band."""

    REAL = "real"
    FAKE = "fake"
    UNCERTAIN = "uncertain"
