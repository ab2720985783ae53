"""Decodes one video with decord and writes its frames to standard output, so that the parent can end a hang.

    python -m deepfake_ssat.video.decord_child VIDEO

Each message is a header (``HEADER``) and a payload: a frame's RGB bytes, or an error in UTF-8. The pipe holds
a few kilobytes only, so decoding waits for the reader.
"""

from __future__ import annotations

import os
import re
import struct
import sys
from typing import BinaryIO

HEADER = struct.Struct("<bqdII")
"""Kind of message, index, seconds, height and width; of an error, height is its length in bytes."""
FRAME, END, ERROR = 0, 1, 2
SOURCE_LINE = re.compile(r"\[[\d:]+\] \S+:\d+: ")
"""Where in decord's own source an error arose; of no use to the reader of a message."""


def main() -> None:
    """Write every frame of the video named on the command line, then the end or an error."""
    output = os.fdopen(os.dup(1), "wb")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)  # What decord and FFmpeg print must not mix with the frames.
    os.dup2(silence, 2)
    try:
        _write_frames(sys.argv[1], output)
        output.write(HEADER.pack(END, 0, 0.0, 0, 0))
    except BrokenPipeError:
        return
    except Exception as error:  # Whatever decord raises is news for the parent, which words it.
        first_line = next(iter(str(error).strip().splitlines()), type(error).__name__)
        text = SOURCE_LINE.sub("", first_line)[:200].encode()
        output.write(HEADER.pack(ERROR, 0, 0.0, len(text), 0) + text)
    output.close()


def _write_frames(path: str, output: BinaryIO) -> None:
    import decord

    video = decord.VideoReader(path, ctx=decord.cpu(0))
    start = None
    for index in range(len(video)):
        pixels = video.next().asnumpy()
        shown_at = float(video.get_frame_timestamp(index)[0])
        start = shown_at if start is None else start
        height, width = pixels.shape[:2]
        output.write(HEADER.pack(FRAME, index, shown_at - start, height, width))
        output.write(pixels.tobytes())
        output.flush()


if __name__ == "__main__":
    main()
