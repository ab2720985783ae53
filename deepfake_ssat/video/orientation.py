"""How a decoded picture must be turned and mirrored to be seen upright, from its display matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Orientation:
    """One of the eight right-angled ways to lay a picture: swap the axes first, then mirror."""

    transposed: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False

    @property
    def degrees(self) -> int:
        """The clockwise turn: 0, 90, 180 or 270; a mirror image counts as the turn of its top row."""
        if self.transposed:
            return 270 if self.mirrored_y else 90
        return 180 if self.mirrored_x and self.mirrored_y else 0

    def turned(self, degrees: int) -> Orientation:
        """This one, then turned clockwise by 0, 90, 180 or 270 degrees."""
        if degrees == 0:
            return self
        quarter = Orientation(not self.transposed, not self.mirrored_y, self.mirrored_x)
        return quarter.turned(degrees - 90)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) after turning; its own inverse."""
        return (height, width) if self.transposed else (width, height)

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """(H, W, 3) as decoded -> contiguous (H', W', 3) as displayed."""
        if self.transposed:
            pixels = pixels.transpose(1, 0, 2)
        if self.mirrored_x:
            pixels = pixels[:, ::-1]
        if self.mirrored_y:
            pixels = pixels[::-1]
        return np.ascontiguousarray(pixels)


def orientation_from_matrix(matrix: bytes) -> Orientation:
    """The nearest right-angled orientation of an ISO 14496-12 display matrix (9 int32, a b u c d v x y w).

    A decoded point (x, y) is shown at (a x + c y, b x + d y), with y pointing down.
    """
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].astype(int).tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(transposed=True, mirrored_x=c < 0, mirrored_y=b < 0)
    return Orientation(mirrored_x=a < 0, mirrored_y=d < 0)
