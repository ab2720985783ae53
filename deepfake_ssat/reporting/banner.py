"""The strip above the pictures of a marked copy: verdict, time, what the colours mean, what was not analysed.

H W pixels. The font knows ASCII only.
"""

from __future__ import annotations

import cv2
import numpy as np

from deepfake_ssat.records import Verdict, VideoVerdict
from deepfake_ssat.reporting.verdict_words import headline, probability_text

COLOURS = {Verdict.REAL: (0, 114, 178), Verdict.UNCERTAIN: (110, 110, 110), Verdict.FAKE: (213, 94, 0)}
"""RGB."""
INK, PAPER, PALE = (255, 255, 255), (20, 23, 28), (150, 150, 150)
FONT = cv2.FONT_HERSHEY_SIMPLEX
LEGEND = "real  uncertain  fake"
NOT_ANALYSED, NOT_SCORED = "not analysed", "no score"
"""Where nobody looked, and where no clip holds a face."""
CAPITAL = 22
"""Pixels of a capital letter at scale 1."""
WIDEST_TIME = "00:00:00.00"


class Banner:
    """Of one video; two lines as wide as its pictures."""

    def __init__(self, verdict: VideoVerdict, width: int):
        """``width`` is that of the displayed picture."""
        self._text = f"{headline(verdict.status, verdict.verdict)} {probability_text(verdict.probability)}"
        self._colour = COLOURS[verdict.verdict] if verdict.verdict else PAPER
        self._width = width
        lines = (f"{self._text}  {WIDEST_TIME}", f"[] {LEGEND}  {NOT_ANALYSED} ")
        widest = max(cv2.getTextSize(line, FONT, 1.0, 1)[0][0] for line in lines)
        self._scale = min(width / (1.1 * widest), 0.9 * max(width / 1280, 0.5))
        self._line = max(round(2 * CAPITAL * self._scale), 8)
        self.height = 2 * self._line + 2 * self._line % 2

    def draw(self, seconds: float, missing: str = "") -> np.ndarray:
        """(H, W, 3) uint8: the strip at a time of the video; ``missing`` says why nothing is scored there."""
        strip = np.full((self.height, self._width, 3), PAPER, np.uint8)
        strip[: self._line] = self._colour
        self._write(strip, 0, self._text, INK)
        self._write(strip, 0, clock(seconds), INK, at_right=True)
        place = 0
        for verdict, colour in COLOURS.items():
            place = self._write(strip, 1, f"{verdict}  ", colour, place, swatch=True)
        self._write(strip, 1, missing, PALE, at_right=True)
        return strip

    def _write(
        self,
        strip: np.ndarray,
        line: int,
        text: str,
        colour: tuple[int, int, int],
        left: int = 0,
        *,
        at_right: bool = False,
        swatch: bool = False,
    ) -> int:
        """One word or more in one of the two lines, behind a square of its colour; returns where it ends."""
        edge = round(CAPITAL * self._scale / 2)
        base = line * self._line + round(self._line / 2 + CAPITAL * self._scale / 2)
        wide = cv2.getTextSize(text, FONT, self._scale, 1)[0][0]
        start = self._width - wide - edge if at_right else left + edge
        if swatch:
            size = round(CAPITAL * self._scale)
            cv2.rectangle(strip, (start, base - size), (start + size, base), colour, -1)
            start, colour = start + size + edge // 2, INK
        cv2.putText(strip, text, (start, base), FONT, self._scale, colour, 1, cv2.LINE_AA)
        return start + wide


def clock(seconds: float) -> str:
    """Such as ``1:02:03.45`` or ``0:05.20``."""
    hundredths = round(100 * seconds)
    minutes, rest = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    shown = f"{minutes}:{rest // 100:02d}.{rest % 100:02d}"
    return f"{hours}:{shown.rjust(8, '0')}" if hours else shown
