"""Whole frames of a judged video with its faces marked: where each face is, and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import cv2
import numpy as np

from deepfake_ssat.inference.explanation import Explanation, FaceMoment
from deepfake_ssat.records import Verdict
from deepfake_ssat.reporting.annotate import draw_marks
from deepfake_ssat.video.frame import shrunk_size
from deepfake_ssat.video.reader import open_video_or_picture

MOST_FRAMES = 10
LONGEST_SIDE = 800
"""Pixels."""


@dataclass(frozen=True)
class FullFrame:
    """One frame with its marks drawn in."""

    index: int
    seconds: float
    pixels: np.ndarray
    """(H, W, 3) uint8, shrunk."""
    tracks: tuple[int, ...]
    """Whose faces are marked."""


def read_full_frames(
    path: Path, explanation: Explanation, verdict_of: Callable[[float], Verdict]
) -> tuple[FullFrame, ...]:
    """Up to ``MOST_FRAMES``, by time; the video is read again, up to the last of them."""
    wanted = set(chosen_frames(explanation))
    if not wanted:
        return ()
    metadata = explanation.verdict.metadata
    frames = []
    with open_video_or_picture(path, metadata.untagged_turn if metadata else 0) as reader:
        for frame in reader:
            if frame.index in wanted:
                marks = explanation.marks[frame.index]
                drawn = draw_marks(frame.convert(frame.width, frame.height), marks, verdict_of)
                tracks = tuple(sorted(mark.track_id for mark in marks))
                frames.append(FullFrame(frame.index, frame.seconds, _shrunk(drawn), tracks))
            if frame.index >= max(wanted):
                break
    return tuple(frames)


def chosen_frames(explanation: Explanation) -> list[int]:
    """First one that shows each face, the deciding one before the others, then more of their moments."""
    order = explanation.verdict.faces_by_suspicion
    faces = [explanation.faces[face.track_id] for face in order]
    shown: set[int] = set()
    chosen: dict[int, None] = {}

    def take(moment: FaceMoment) -> None:
        if len(chosen) < MOST_FRAMES:
            chosen[moment.frame_index] = None
            shown.update(mark.track_id for mark in explanation.marks[moment.frame_index])

    for judged, face in zip(order, faces, strict=True):
        if judged.track_id not in shown:
            take(face.highest)
    for moment in chain.from_iterable(face.spread for face in faces):
        take(moment)
    return sorted(chosen)


def _shrunk(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    return cv2.resize(pixels, shrunk_size(width, height, LONGEST_SIDE), interpolation=cv2.INTER_AREA)
