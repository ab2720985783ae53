"""A video reader whose frames are perturbed on their way out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType

import cv2
import numpy as np

from deepfake_ssat.video.frame import VideoFrame
from deepfake_ssat.video.perturbation.kinds import Perturbation, perturb_frames
from deepfake_ssat.video.reader import VideoReader


class PerturbedReader:
    """A ``VideoReader`` over another one; indices, times and sizes stay, the pictures change."""

    def __init__(
        self, reader: VideoReader, perturbation: Perturbation, generator: np.random.Generator
    ) -> None:
        self.metadata = reader.metadata
        self.warnings = reader.warnings
        self._reader = reader
        self._perturbation = perturbation
        self._generator = generator

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the frames once, in display order."""
        waiting: deque[Callable[..., VideoFrame]] = deque()

        def pictures() -> Iterator[np.ndarray]:
            for frame in self._reader:
                # Without its decoded planes: an encoder may look many frames ahead.
                facts = frame.index, frame.seconds, frame.width, frame.height
                waiting.append(partial(VideoFrame, *facts, own_size=frame.own_size))
                yield frame.rgb()

        for picture in perturb_frames(pictures(), self._perturbation, self._generator, self.metadata.fps):
            yield waiting.popleft()(convert=partial(_shrink, picture))

    def turn(self, degrees: int) -> None:
        """Begin again, turned; the perturbation draws new numbers."""
        self._reader.turn(degrees)
        self.metadata = self._reader.metadata

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()

    def __enter__(self) -> PerturbedReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _shrink(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """(H, W, 3) -> (height, width, 3)."""
    if (height, width) == picture.shape[:2]:
        return picture
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
