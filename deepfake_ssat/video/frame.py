"""One decoded frame of a video, which becomes an RGB picture only when asked.

H W pixels of the displayed picture, rotation applied.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class VideoFrame:
    """A frame as the reader hands it on; it holds the decoded planes, so keep few of them."""

    index: int
    """In display order; the numbers of frames that could not be decoded are left out."""
    seconds: float
    """As a player shows it: 0 where the file's first picture or sound is."""
    width: int
    """Of the displayed picture; the same for all frames of a video."""
    height: int
    convert: Callable[[int, int], np.ndarray] = field(repr=False, compare=False)
    """(displayed width, displayed height) -> (H, W, 3) uint8 of that size; the reader's own."""
    own_size: tuple[int, int] | None = None
    """(width, height) of a frame that was stored in another size than the first, upright; else None."""

    @property
    def detail(self) -> float:
        """Stored pixels per displayed one: 1 but for frames with a size of their own."""
        if self.own_size is None:
            return 1.0
        return max(self.own_size[0] / self.width, self.own_size[1] / self.height)

    def rgb(self, longest_side: int | None = None) -> np.ndarray:
        """The picture, (H, W, 3) uint8 RGB, shrunk to ``longest_side`` pixels but never enlarged.

        A frame with a size of its own is as fine as it was stored.
        """
        finest = max(round(self.width * self.detail), 1), max(round(self.height * self.detail), 1)
        return self.convert(*shrunk_size(*finest, longest_side))


def shrunk_size(width: int, height: int, longest_side: int | None) -> tuple[int, int]:
    """(width, height) at the same aspect with the longer side at most ``longest_side`` pixels."""
    if longest_side is None or longest_side >= max(width, height):
        return width, height
    if longest_side < 1:
        raise ValueError(f"longest_side is {longest_side}, it must be at least 1")
    scale = longest_side / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))
