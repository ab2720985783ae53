"""From a decoded picture to the displayed one: pixels made square, turned upright, fitted into the video.

H W pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from deepfake_ssat.video.orientation import Orientation


@dataclass(frozen=True)
class Layout:
    """How pictures of one decoded size are shown."""

    width: int
    """Of the decoded picture."""
    height: int
    pixel_aspect: Fraction = field(default=Fraction(1))
    """Width of a decoded pixel in its heights."""
    orientation: Orientation = field(default=Orientation())

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) as displayed; as in browsers, the side that is too short grows."""
        width, height = self.width, self.height
        if self.pixel_aspect > 1:
            width = round(width * self.pixel_aspect)
        else:
            height = round(height / self.pixel_aspect)
        return self.orientation.size(width, height)


def fitted(
    size: tuple[int, int], room: tuple[int, int], draw: Callable[[int, int], np.ndarray]
) -> np.ndarray:
    """A picture of ``size`` as large as it fits into ``room``, in its middle, on black: (H, W, 3) uint8.

    Sizes are (width, height); ``draw`` makes the picture in the size that it is given.
    """
    scale = min(room[0] / size[0], room[1] / size[1])
    width, height = (max(round(side * scale), 1) for side in size)
    if room[0] - width <= 1 and room[1] - height <= 1:  # The same shape, but for rounding.
        return draw(*room)
    canvas = np.zeros((room[1], room[0], 3), np.uint8)
    left, top = (room[0] - width) // 2, (room[1] - height) // 2
    canvas[top : top + height, left : left + width] = draw(width, height)
    return canvas
