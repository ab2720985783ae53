"""Opens a file with limits, refuses in one line what is no video, and hands out its packets.

"Packet" is a compressed frame or piece of sound as the container stores it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from deepfake_ssat.errors import VideoError

MAX_PIXELS = 64_000_000
"""Larger frames are refused: 8K has 33 million, and a forged header must not fill the memory."""
MAX_FAILURES_IN_A_ROW = 2000
"""Packets that cannot be read, or give no frame, after which a damaged file is given up."""
_LIMITS = {"max_pixels": str(MAX_PIXELS), "protocol_whitelist": "file"}
_TEXT_FORMATS = {"tty", "hls", "dash", "concat", "concatf"}  # Text, and lists of files.
_PICTURE_FORMATS = {"image2", "gif", "apng", "ico", "jpegxl_anim"}  # And all whose name ends in _pipe.
_PICTURE_BRANDS = {"avif", "avis", "mif1", "msf1", "heic", "heix", "heim", "heis", "hevc", "hevx"}


def open_container(path: Path) -> InputContainer:
    """Open ``path``, a regular file; raises VideoError."""
    try:
        container = av.open(str(path), options=_LIMITS, metadata_errors="replace")
    except FFmpegError as error:
        reason = error.strerror or type(error).__name__
        raise VideoError(
            f"{path} cannot be opened as a video: {reason}; give a complete video file"
        ) from None
    if _TEXT_FORMATS & set(container.format.name.split(",")):
        container.close()
        raise VideoError(f"{path} is text or a playlist ({container.format.name}); give a video file")
    return container


def is_picture_format(container: InputContainer) -> bool:
    """Whether the format is one of pictures; some of them can be animated."""
    brand = container.metadata.get("major_brand", "").strip()
    name = container.format.name
    return name in _PICTURE_FORMATS or name.endswith("_pipe") or brand in _PICTURE_BRANDS


def read_packets(container: InputContainer, streams: Sequence[Stream]) -> Iterator[Packet | None]:
    """The packets of these streams in file order; None for each that cannot be read."""
    packets = container.demux(list(streams))
    while True:
        try:
            packet = next(packets, None)
        except EOFError:
            return
        except IndexError:
            # So PyAV meets packets of a track that a transport stream adds midway; ours are not among them.
            packets = container.demux(list(streams))
            continue
        except FFmpegError:
            packets = container.demux(list(streams))
            yield None
            continue
        if packet is None:
            return
        yield packet
