"""Pairs for the frame model: a genuine face and a fake made of it, both under one framing and degradation.

Pictures are (H, W, 3) uint8 RGB. A pair is two of them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from weights_frame_crops import CROP, MARGIN, CropRow, read_index

from deepfake_ssat.clips.pseudo_fakes import pseudo_fake_pair
from deepfake_ssat.clips.pseudo_fakes.appearance import draw_mismatch
from deepfake_ssat.config.pseudo_fakes import PseudoFakeSettings
from deepfake_ssat.video.perturbation.h264 import reencode

PARTS = {"dfdc": 0.6, "ffpp": 0.2, "pseudo": 0.2}
"""How often a pair comes from where."""
LOOSE, TIGHT = (0.98, 1.18), (0.86, 1.0)
"""Sides of what training sees, in face boxes: of our own crops, and of DFDC's, which end at the box."""
STRETCH = 0.78
"""DFDC's crops are boxes made square: up to so much narrower than high before that."""
BACKGROUND_PART, DONOR_PART, PHOTO_PART = 0.35, 0.5, 0.4
"""Of the pseudo-fakes: whose surroundings are changed instead of the face; that may swap; from photos."""
PSEUDO_SIDE = 256
"""Pixels per side that pseudo-fakes are made at."""


class Pair(NamedTuple):
    """The same face twice."""

    real: np.ndarray
    fake: np.ndarray
    boxes: float
    """The pictures' side in face boxes."""
    is_stretched: bool
    """Whether the face box was made square."""


class DfdcPairs:
    """Genuine crops with the fakes that are aligned with them, of one split."""

    def __init__(self, folder: Path, split: str) -> None:
        self._folder = folder
        fakes: dict[str, list[str]] = {}
        with (folder / "fetched.csv").open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                chosen = row["corpus"] == "dfdc" and row["split"] == split and row["aligned"] == "1"
                if chosen and row["label"] == "fake" and row["certainty"] != "guess":
                    fakes.setdefault(row["original"], []).append(row["video"])
        self.originals = sorted(name for name in fakes if self._path(name).is_file())
        self._fakes = fakes

    def draw(self, generator: np.random.Generator) -> Pair:
        """Any original, and any of its fakes."""
        return self.at(int(generator.integers(len(self.originals))), generator)

    def at(self, index: int, generator: np.random.Generator) -> Pair:
        """One original, and any of its fakes."""
        original = self.originals[index]
        fakes = self._fakes[original]
        fake = fakes[generator.integers(len(fakes))]
        return Pair(_read(self._path(original)), _read(self._path(fake)), 1.0, True)

    def _path(self, name: str) -> Path:
        return self._folder / "dfdc_crops" / f"{name}.jpg"


class FfppPairs:
    """The same frame of an original and of a fake, of one split."""

    def __init__(self, folder: Path, rows: list[CropRow], split: str) -> None:
        self._folder = folder
        self.fakes = [row for row in rows if row.kind == "ffpp" and row.original and row.split == split]
        methods = [row.method.split()[0] for row in self.fakes]
        # Rarer methods more often than their videos alone would give, but not as often as the common ones.
        chances = np.array([methods.count(method) ** -0.5 for method in methods])
        self._chances = chances / chances.sum()

    def draw(self, generator: np.random.Generator) -> Pair:
        """Any frame of any fake."""
        row = self.fakes[generator.choice(len(self.fakes), p=self._chances)]
        fakes, reals = (np.load(self._folder / name, mmap_mode="r") for name in (row.file, row.original))
        frame = int(generator.integers(min(len(fakes), len(reals))))
        return Pair(np.array(reals[frame]), np.array(fakes[frame]), 1 + MARGIN, False)


class PseudoPairs:
    """Genuine faces and what blending makes of them, of one split."""

    def __init__(self, folder: Path, rows: list[CropRow], split: str) -> None:
        self._folder = folder
        genuine = [row for row in rows if not row.original and row.split == split]
        self._photos = [row for row in genuine if row.kind == "photo"]
        people: dict[str, list[CropRow]] = {}
        for row in genuine:
            if row.kind != "photo":
                people.setdefault(row.person, []).append(row)
        self._people = list(people.values())
        chances = np.sqrt([len(group) for group in self._people])
        self._chances = chances / chances.sum()

    def draw(self, generator: np.random.Generator) -> Pair:
        """Any face; drawn again where no fake can be made of it."""
        while True:
            frame, landmarks = self._face(generator)
            donor = self._face(generator) if generator.random() < DONOR_PART else None
            laid = None if donor is None else (donor[0][None], donor[1][None])
            made = pseudo_fake_pair(frame[None], landmarks[None], generator, PseudoFakeSettings(), laid)
            if made is None:
                continue
            fake = made.fake[0]
            if generator.random() < BACKGROUND_PART:
                width = 1.6 * float(np.linalg.norm(landmarks[1] - landmarks[0]))
                around = draw_mismatch(generator, width)(frame)
                inside = made.mask[0][..., None]
                fake = (frame * inside + around * (1 - inside) + 0.5).astype(np.uint8)
            return Pair(frame, fake, 1 + MARGIN, False)

    def _face(self, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        if self._photos and generator.random() < PHOTO_PART:
            row = self._photos[generator.integers(len(self._photos))]
        else:
            group = self._people[generator.choice(len(self._people), p=self._chances)]
            row = group[generator.integers(len(group))]
        frames = np.load(self._folder / row.file, mmap_mode="r")
        landmarks = np.load(self._folder / row.file.replace(".npy", ".landmarks.npy"))
        index = int(generator.integers(len(frames)))
        size = (PSEUDO_SIDE, PSEUDO_SIDE)
        return cv2.resize(np.array(frames[index]), size, interpolation=cv2.INTER_AREA), landmarks[index] * (
            PSEUDO_SIDE / CROP
        )


class Mixture:
    """All sources of one split, each as often as it shall be."""

    def __init__(self, crops: Path, dfdc: Path, split: str) -> None:
        self._crops, self._split = crops, split
        self._dfdc = DfdcPairs(dfdc, split)
        self.refresh()

    def refresh(self) -> None:
        """Takes in what was cut meanwhile."""
        rows = read_index(self._crops)
        self.sources = {
            "dfdc": self._dfdc,
            "ffpp": FfppPairs(self._crops, rows, self._split),
            "pseudo": PseudoPairs(self._crops, rows, self._split),
        }

    def draw(self, generator: np.random.Generator, side: int) -> np.ndarray:
        """(2, side, side, 3) uint8: genuine, fake."""
        name = str(generator.choice(list(PARTS), p=list(PARTS.values())))
        return augmented(self.sources[name].draw(generator), generator, side)


def augmented(pair: Pair, generator: np.random.Generator, side: int) -> np.ndarray:
    """Both pictures under one framing and one chain of degradations: (2, side, side, 3) uint8."""
    framing = _Framing(pair, generator, side)
    changes = [framing, *_draw_degradations(generator)]
    results = []
    for picture in (pair.real, pair.fake):
        for change in changes:
            picture = change(picture)
        interpolation = cv2.INTER_AREA if len(picture) > side else cv2.INTER_LINEAR
        results.append(cv2.resize(picture, (side, side), interpolation=interpolation))
    return np.stack(results)


class _Framing:
    """A part of the picture, about as wide as the face box, mirrored or not, sometimes turned a little."""

    def __init__(self, pair: Pair, generator: np.random.Generator, side: int) -> None:
        pixels = len(pair.real)
        part = generator.uniform(*(TIGHT if pair.is_stretched else LOOSE)) * pixels / pair.boxes
        width = height = min(part, pixels)
        if generator.random() < 0.6:
            # Narrower: DFDC's own stretch on undistorted faces; lower: it undone on DFDC's.
            stretch = generator.uniform(STRETCH, 1.0)
            width, height = (width, height * stretch) if pair.is_stretched else (width * stretch, height)
        spare = np.array([pixels - width, pixels - height]) / 2
        shift = np.clip(generator.normal(0, 0.04, 2) * pixels / pair.boxes, -spare, spare)
        if pair.is_stretched:
            shift = generator.uniform(-spare, spare)
        center = pixels / 2 + shift
        angle = np.deg2rad(generator.normal(0, 6)) if generator.random() < 0.3 else 0.0
        # Shrinking happens where the resolution is drawn; no framing holds more pixels than it was cut from.
        self._size = int(np.clip(height, side / 2, 1.25 * side))
        mirror = -1 if generator.random() < 0.5 else 1
        across = np.array([np.cos(angle), np.sin(angle)]) * width / self._size * mirror
        down = np.array([-np.sin(angle), np.cos(angle)]) * height / self._size
        corner = center - (across + down) * (self._size - 1) / 2 - 0.5
        self._matrix = np.stack([across, down, corner], axis=1)

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        return cv2.warpAffine(
            picture,
            self._matrix,
            (self._size, self._size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT_101,
        )


Degradation = Callable[[np.ndarray], np.ndarray]


def _draw_degradations(generator: np.random.Generator) -> list[Degradation]:
    """Light first, then what cameras and platforms do, in any order; one in six pairs stays as it is."""
    changes = [_draw_light(generator)] if generator.random() < 0.7 else []
    if generator.random() < 1 / 6:
        return changes
    chances = {_draw_resolution: 0.4, _draw_blur: 0.25, _draw_noise: 0.25, _draw_jpeg: 0.5, _draw_h264: 0.08}
    drawn = [draw(generator) for draw, chance in chances.items() if generator.random() < chance]
    generator.shuffle(drawn)  # pyright: ignore[reportArgumentType]
    return changes + drawn


def _draw_light(generator: np.random.Generator) -> Degradation:
    gain, offset = generator.uniform(0.75, 1.25), generator.uniform(-25, 25)
    gamma = np.exp(generator.normal(0, 0.15))
    tint = generator.uniform(-10, 10, 3) if generator.random() < 0.3 else np.zeros(3)
    levels = 255 * (np.arange(256)[:, None] / 255) ** gamma * gain + offset + tint
    table = np.clip(levels, 0, 255).astype(np.uint8)[None]
    if generator.random() < 0.05:
        return lambda picture: cv2.LUT(
            np.repeat(picture.mean(-1, keepdims=True), 3, -1).astype(np.uint8), table
        )
    return lambda picture: cv2.LUT(picture, table)


def _draw_resolution(generator: np.random.Generator) -> Degradation:
    side = int(np.exp(generator.uniform(np.log(56), np.log(200))))
    methods = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
    down, up = (methods[index] for index in generator.integers(3, size=2))
    stays_small = generator.random() < 0.5

    def change(picture: np.ndarray) -> np.ndarray:
        if side >= len(picture):
            return picture
        small = cv2.resize(picture, (side, side), interpolation=down)
        if stays_small:
            return small
        return cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR if up == 3 else up)

    return change


def _draw_blur(generator: np.random.Generator) -> Degradation:
    part = np.exp(generator.uniform(np.log(0.002), np.log(0.014)))
    if generator.random() < 0.75:
        return lambda picture: cv2.GaussianBlur(picture, (0, 0), max(float(part * len(picture)), 0.3))
    angle, length = generator.uniform(0, np.pi), generator.uniform(3, 9)
    steps = np.linspace(-length / 2, length / 2, 33)
    kernel = np.histogram2d(
        steps * np.sin(angle), steps * np.cos(angle), bins=9, range=[[-4.5, 4.5], [-4.5, 4.5]]
    )[0]
    return partial(cv2.filter2D, ddepth=-1, kernel=(kernel / kernel.sum()).astype(np.float32))


def _draw_noise(generator: np.random.Generator) -> Degradation:
    deviation = np.exp(generator.uniform(np.log(1.5), np.log(14)))
    channels = 1 if generator.random() < 0.5 else 3
    seed = int(generator.integers(2**31))

    def change(picture: np.ndarray) -> np.ndarray:
        noise = np.random.default_rng(seed).standard_normal((*picture.shape[:2], channels), np.float32)
        return np.clip(picture + deviation * noise + 0.5, 0, 255).astype(np.uint8)

    return change


def _draw_jpeg(generator: np.random.Generator) -> Degradation:
    quality = int(generator.uniform(25, 92))

    def change(picture: np.ndarray) -> np.ndarray:
        encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))

    return change


def _draw_h264(generator: np.random.Generator) -> Degradation:
    crf = float(generator.integers(22, 37))
    return lambda picture: next(iter(reencode([picture], crf, 25.0, "veryfast")))


def _read(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path))
    assert picture is not None, path
    return np.ascontiguousarray(picture[..., ::-1])
