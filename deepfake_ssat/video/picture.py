"""Reads a still picture as a video of one frame, turned as its camera tag says."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from deepfake_ssat.errors import VideoError, install
from deepfake_ssat.records import VideoMetadata
from deepfake_ssat.video.frame import VideoFrame

MAX_PIXELS = 64_000_000
"""Larger pictures are refused: a forged header must not fill the memory."""
HEIC_BRANDS = {b"ftyp" + brand for brand in (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1")}
"""How a file of that kind begins, after the length of its first part."""
TAG_LENGTH = 200
"""Characters of a tag that are kept: a file may write anything there."""
FPS = 25.0
"""A picture has no rate; this is the one that its clip file is given."""


class PictureReader:
    """A ``VideoReader`` of one frame; raises VideoError where the picture cannot be read."""

    def __init__(self, path: Path, turn: int = 0) -> None:
        """Read ``path``, turned clockwise by so many degrees beyond its tag."""
        self.warnings: list[str] = []
        self._pixels, codec = load_picture(path)
        encoder, created = _tags(path)
        height, width = self._pixels.shape[:2]
        self.metadata = VideoMetadata(
            FPS, 1, width, height, 0, codec, None, is_still=True, encoder=encoder, created=created
        )
        if turn:
            self.turn(turn)

    def __iter__(self) -> Iterator[VideoFrame]:
        """The picture."""
        yield VideoFrame(0, 0.0, self.metadata.width, self.metadata.height, self._convert)

    def turn(self, degrees: int) -> None:
        """Turn the picture clockwise by so many more degrees."""
        self._pixels = np.ascontiguousarray(np.rot90(self._pixels, -degrees // 90))
        height, width = self._pixels.shape[:2]
        turn = (self.metadata.untagged_turn + degrees) % 360
        self.metadata = replace(self.metadata, width=width, height=height, rotation=turn, untagged_turn=turn)

    def close(self) -> None:
        """The file was closed when its picture was loaded."""

    def __enter__(self) -> PictureReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _convert(self, width: int, height: int) -> np.ndarray:
        if (width, height) == (self.metadata.width, self.metadata.height):
            return self._pixels
        return cv2.resize(self._pixels, (width, height), interpolation=cv2.INTER_AREA)


def is_still(path: Path) -> bool:
    """Whether a file is a single picture, by its content; animations are videos.

    Raises VideoError for HEIC where nothing reads it.
    """
    with path.open("rb") as file:
        if file.read(12)[4:] in HEIC_BRANDS:
            _read_heic(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                # A camera's MPO holds the same picture in several sizes.
                return picture.format == "MPO" or not getattr(picture, "is_animated", False)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def _read_heic(path: Path) -> None:
    """From now on Pillow reads HEIC; raises VideoError where the package for it is missing."""
    if importlib.util.find_spec("pillow_heif") is None:
        raise VideoError(
            f"{path} is a HEIC picture, which needs pillow-heif: {install('heic')}, or save it as JPEG"
        )
    importlib.import_module("pillow_heif").register_heif_opener()


def _tags(path: Path) -> tuple[str, str]:
    """The program that wrote a picture and when it was taken, by its own word."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path) as picture:
            exif = picture.getexif()
            taken = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal)
            written = exif.get(ExifTags.Base.Software), taken or exif.get(ExifTags.Base.DateTime)
    encoder, created = (" ".join(str(tag or "").split())[:TAG_LENGTH] for tag in written)
    return encoder, created


def load_picture(path: Path) -> tuple[np.ndarray, str]:
    """(H, W, 3) uint8 RGB, turned as its camera tag says, and the format's name."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of odd tags and of sizes, which the limit below judges.
            with Image.open(path) as picture:
                width, height = picture.size
                if width * height > MAX_PIXELS:
                    raise VideoError(
                        f"{path} is {width}x{height}, at most {MAX_PIXELS:,} pixels are read; scale it down"
                    )
                turned = ImageOps.exif_transpose(picture)
                return np.array(turned.convert("RGB")), (picture.format or "").lower()
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise VideoError(f"{path} cannot be read as a picture ({error}); repair or remove it") from None
