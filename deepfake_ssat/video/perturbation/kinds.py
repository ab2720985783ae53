"""The kinds of perturbation, five levels each, and how they are applied to a stream of frames or to a clip.

T frames, H W pixels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from deepfake_ssat.video.perturbation import pictures
from deepfake_ssat.video.perturbation.h264 import reencode

LEVELS = (1, 2, 3, 4, 5)
FALLBACK_FPS = 25.0
OnPicture = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
DEEPER_FORENSICS = "DeeperForensics-1.0"


@dataclass(frozen=True)
class Kind:
    """One way to spoil a video."""

    title: str
    parameter: str
    """What the numbers are."""
    values: tuple[float, float, float, float, float]
    """By level, the mildest first."""
    source: str
    """Where the numbers are from."""
    on_picture: OnPicture | None
    """None: through the H.264 encoder, with the parameter as its constant rate factor."""


KINDS: dict[str, Kind] = {
    "saturation": Kind(
        "colour saturation",
        "colour factor",
        (0.4, 0.3, 0.2, 0.1, 0.0),
        DEEPER_FORENSICS,
        pictures.change_saturation,
    ),
    "blocks": Kind(
        "local block-wise",
        "blocks per 256 pixels",
        (16, 32, 48, 64, 80),
        DEEPER_FORENSICS,
        pictures.cover_blocks,
    ),
    "contrast": Kind(
        "colour contrast",
        "value factor",
        (0.85, 0.725, 0.6, 0.475, 0.35),
        DEEPER_FORENSICS,
        pictures.change_contrast,
    ),
    "blur": Kind("Gaussian blur", "kernel side", (7, 9, 13, 17, 21), DEEPER_FORENSICS, pictures.blur),
    "noise": Kind(
        "Gaussian noise", "variance", (0.001, 0.002, 0.005, 0.01, 0.05), DEEPER_FORENSICS, pictures.add_noise
    ),
    # DeeperForensics' code of that name makes no JPEG: it is "resize" here.
    "jpeg": Kind("JPEG", "quality", (25, 18, 15, 10, 7), "ImageNet-C", pictures.compress_jpeg),
    "video": Kind("video compression", "CRF", (30, 32, 35, 38, 40), DEEPER_FORENSICS, None),
    "h264": Kind("H.264", "CRF", (23, 28, 33, 38, 43), "steps of 5 from x264's default", None),
    "resize": Kind(
        "resizing",
        "factor",
        (2, 3, 4, 5, 6),
        f"{DEEPER_FORENSICS}, there called JPEG compression",
        pictures.shrink_and_enlarge,
    ),
}


@dataclass(frozen=True)
class Perturbation:
    """One kind at one level."""

    kind: str
    level: int

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.level not in LEVELS:
            raise ValueError(f"there is no perturbation {self.kind!r} of level {self.level}")

    @property
    def value(self) -> float:
        """Of the kind's parameter."""
        return KINDS[self.kind].values[self.level - 1]

    def __str__(self) -> str:
        return f"{self.kind} {self.level}"


def perturb_frames(
    frames: Iterable[np.ndarray],
    perturbation: Perturbation,
    generator: np.random.Generator,
    fps: float = FALLBACK_FPS,
) -> Iterator[np.ndarray]:
    """(H, W, 3) uint8 RGB frames -> as many, in order, spoilt; holds no more than an encoder's look-ahead.

    What is random is drawn anew for each frame; everything else is the same in all of them.
    """
    on_picture = KINDS[perturbation.kind].on_picture
    if on_picture is None:
        yield from reencode(frames, perturbation.value, fps)
        return
    for picture in frames:
        yield on_picture(picture, perturbation.value, generator)


def perturb_clip(
    pixels: np.ndarray,
    perturbation: Perturbation,
    generator: np.random.Generator,
    fps: float = FALLBACK_FPS,
) -> np.ndarray:
    """(T, H, W, 3) uint8 RGB -> the same shape and type; the clip given is left as it is."""
    return np.stack(list(perturb_frames(pixels, perturbation, generator, fps)))


def generator_for(seed: int, perturbation: Perturbation, *names: str) -> np.random.Generator:
    """The same draws for the same seed, perturbation and names (of video and clip), in whatever order."""
    text = "\0".join((str(seed), str(perturbation), *names))
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little"))
