"""The verdict on videos in one call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, overload

import numpy as np

from deepfake_ssat.inference.detector import StrPath, load_detector
from deepfake_ssat.progress import Progress, silent
from deepfake_ssat.records import VideoVerdict


@overload
def detect(
    video: StrPath | np.ndarray | Iterable[np.ndarray],
    *,
    checkpoint: StrPath | None = None,
    clips: int | None = 4,
    device: str = "auto",
    backend: str = "torch",
    fps: float | None = None,
    seconds: Iterable[float] | None = None,
    rotate: int = 0,
) -> VideoVerdict: ...


@overload
def detect(
    video: Iterable[StrPath],
    *,
    checkpoint: StrPath | None = None,
    clips: int | None = 4,
    device: str = "auto",
    backend: str = "torch",
    progress: Progress = silent,
    rotate: int = 0,
) -> list[VideoVerdict]: ...


def detect(
    video: Any,
    *,
    checkpoint: StrPath | None = None,
    clips: int | None = 4,
    device: str = "auto",
    backend: str = "torch",
    **options: Any,
) -> VideoVerdict | list[VideoVerdict]:
    """Judges a file, several files (a list of verdicts), or frames with their ``fps`` or ``seconds``.

    Loads the checkpoint, by default the package's own, each time: for one video after the other, keep a
    ``load_detector()`` and call its ``detect``, which says what may be given. ``device`` is auto, cpu or
    cuda, ``backend`` torch or openvino. Raises DeepfakeError for a checkpoint, device or frames that cannot
    be used; a file that cannot be read is a result.
    """
    return load_detector(checkpoint, device, backend=backend).detect(video, clips, **options)
