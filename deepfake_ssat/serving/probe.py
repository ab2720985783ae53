"""``python -m deepfake_ssat.serving.probe VIDEO SECONDS MEGAPIXELS``: may this file be analysed?

Runs in a child process, since the file is a stranger's. Exit code 0, or one line on standard error with
10 (neither a video nor a picture that can be read) or 11 (too large).
"""

from __future__ import annotations

import sys
from pathlib import Path

from deepfake_ssat.errors import VideoError
from deepfake_ssat.serving.sandbox import TOO_LARGE, UNREADABLE
from deepfake_ssat.video.reader import open_video_or_picture


def probe(path: Path, max_seconds: float, max_megapixels: float) -> tuple[int, str]:
    """Exit code and reason for one file; reads the header and the first frame only."""
    try:
        with open_video_or_picture(path) as reader:
            metadata = reader.metadata
            next(iter(reader))
    except VideoError as error:
        return UNREADABLE, str(error).replace(f"{path}: ", "").replace(str(path), "the file")
    megapixels = metadata.width * metadata.height / 1e6
    if megapixels > max_megapixels:
        return (
            TOO_LARGE,
            f"frames are {metadata.width}x{metadata.height}, the limit is {max_megapixels:g} megapixels",
        )
    if (metadata.duration_seconds or 0) > max_seconds:
        return TOO_LARGE, f"the video lasts {metadata.duration_seconds:.0f} s, the limit is {max_seconds:g} s"
    return 0, ""


if __name__ == "__main__":
    code, reason = probe(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
    if reason:
        sys.stderr.write(reason + "\n")
    raise SystemExit(code)
