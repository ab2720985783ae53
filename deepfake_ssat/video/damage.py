"""What went wrong while a video was decoded, gathered into one warning."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass

MOST_WAITING = 1024  # Far above any codec's reordering; packets without a frame must not pile up.


@dataclass
class DamageLog:
    """Counts of what could not be read or decoded in one pass over a video."""

    failed_packets: int = 0
    flawed_frames: int = 0
    lost_frames: int = 0
    first_seconds: float | None = None
    gave_up: bool = False

    @property
    def seen(self) -> bool:
        """Whether anything failed so far."""
        return bool(self.failed_packets or self.flawed_frames)

    def packet_failed(self, seconds: float | None) -> None:
        """Count a packet that could not be read or decoded, at its presentation time."""
        self.failed_packets += 1
        self._note(seconds)

    def frame_flawed(self, seconds: float | None) -> None:
        """Count a frame that the decoder marked as flawed."""
        self.flawed_frames += 1
        self._note(seconds)

    def _note(self, seconds: float | None) -> None:
        if self.first_seconds is None:
            self.first_seconds = seconds

    def summary(self, cut: str = "") -> str | None:
        """One line on everything that went wrong, or None; ``cut`` says where a file ends too early."""
        facts = []
        if self.failed_packets:
            facts.append(f"{self.failed_packets} packets could not be decoded")
        if self.lost_frames:
            facts.append(f"{self.lost_frames} frames were lost")
        if self.flawed_frames:
            facts.append(f"{self.flawed_frames} frames have flaws")
        if facts and self.first_seconds is not None:
            facts[-1] += f", first near {self.first_seconds:.2f} s"
        if self.gave_up:
            facts.append("reading stopped there")
        if cut:
            facts.append(cut)
        return "damaged video: " + "; ".join(facts) if facts else None


class DisplayOrder:
    """Numbers the decoded frames in display order and counts those that were lost between them.

    Each packet announces a presentation time before its frame comes out, so the times that are still waiting
    before a frame's own belong to frames that never came.
    """

    def __init__(self) -> None:
        self._waiting: list[int] = []
        self._passed_over: deque[int] = deque(maxlen=64)
        self._next_index = 0
        self.num_lost = 0

    @property
    def num_waiting(self) -> int:
        """How many frames were announced and have not come yet."""
        return len(self._waiting)

    def announce(self, pts: int) -> None:
        """Note the presentation time of a packet that was read."""
        heapq.heappush(self._waiting, pts)
        if len(self._waiting) > MOST_WAITING:
            heapq.heappop(self._waiting)

    def number(self, pts: int | None, *, damaged: bool) -> int | None:
        """The index of the frame shown at ``pts``; None for one that comes after its turn, to be left out.

        In an undamaged stream a packet without a frame is nothing lost: VP8 has invisible ones.
        """
        if damaged and pts in self._passed_over:
            return None
        while pts is not None and self._waiting and self._waiting[0] <= pts:
            earlier = heapq.heappop(self._waiting)
            if damaged and earlier < pts:
                self._passed_over.append(earlier)
                self.num_lost += 1
                self._next_index += 1
        self._next_index += 1
        return self._next_index - 1
