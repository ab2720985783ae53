"""Which clip of a judged file heat maps are asked for; the asking job keeps it beside the file.

The file is sent again for them, as the service keeps no video, and goes when they are drawn.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deepfake_ssat.outputs import write_file
from deepfake_ssat.serving.storage import RESULT, WANTED

# Records need numpy, which the service itself can do without until somebody asks for maps.
if TYPE_CHECKING:
    from deepfake_ssat.records import ClipScore


@dataclass(frozen=True)
class WantedMaps:
    """One clip of a verdict, and all that it takes to find it again."""

    clip: ClipScore
    clips: int | None
    """How many were spread over the video; None for every one."""
    checkpoint: str
    """The hash of the weights that judged."""

    def write(self, folder: Path) -> None:
        """Into the folder of the job that is to draw them."""
        write_file(folder / WANTED, json.dumps(asdict(self)).encode())


def read_wanted(folder: Path) -> WantedMaps | None:
    """What ``write`` wrote; None in the folder of a job that judges."""
    if not (folder / WANTED).is_file():
        return None
    from deepfake_ssat.records import ClipScore

    values = json.loads((folder / WANTED).read_text(encoding="utf-8"))
    return WantedMaps(ClipScore(**values.pop("clip")), **values)


def find_clip(judged: Path, track_id: int, start_seconds: float) -> WantedMaps | None:
    """The clip of a face that begins at a time, among those in the folder of a job that has judged."""
    from deepfake_ssat.records import ClipScore

    document = json.loads((judged / RESULT).read_text(encoding="utf-8"))
    clips = document["settings"]["clips"]
    for entry in document["videos"][0]["clips"]:
        if entry["track_id"] == track_id and entry["start_seconds"] == round(start_seconds, 3):
            num_clips = None if clips == "all" else clips
            return WantedMaps(ClipScore(**entry), num_clips, document["checkpoint"]["sha256"])
    return None
