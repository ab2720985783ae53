"""Pseudo-fakes: manipulations of genuine face clips, made by blending, for detectors that know no method.

After self-blended images (Shiohara and Yamasaki, CVPR 2022) and face X-ray's blended ones (Li et al., CVPR
2020), extended to clips, where every parameter is drawn once and drifts slowly, and by kinds that imitate
expression transfer and re-synthesis. T frames, H W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from deepfake_ssat.clips.pseudo_fakes.appearance import (
    Change,
    at_resolution,
    draw_color,
    draw_mismatch,
    draw_smoothing,
    matched_color,
)
from deepfake_ssat.clips.pseudo_fakes.outline import (
    REGION_CENTERS,
    REGIONS,
    FaceFit,
    draw_mask,
    smooth_outline,
)
from deepfake_ssat.config.pseudo_fakes import PseudoFakeSettings

MIN_FACE_WIDTH = 16.0
"""Pixels; below it a manipulation could not be seen."""
LEAST_CHANGE = 1.5
"""Mean absolute difference inside the mask, in grey levels, that a fake must have."""
MIN_SWAP_OPACITY = 0.85
ATTEMPTS = 4


@dataclass(frozen=True)
class PseudoFakePair:
    """One genuine clip twice: as it is, and manipulated."""

    real: np.ndarray
    """(T, H, W, 3) uint8: the frames as they were given."""
    fake: np.ndarray
    """(T, H, W, 3) uint8."""
    mask: np.ndarray
    """(T, H, W) float32 in [0, 1]: how much of each pixel was replaced."""
    kind: str


@dataclass(frozen=True)
class Clip:
    """Frames and the face in each of them."""

    frames: np.ndarray
    """(T, H, W, 3) uint8."""
    landmarks: np.ndarray
    """(T, 5, 2) in pixels: left eye, right eye, nose, mouth corners."""


@dataclass(frozen=True)
class _Motion:
    """Where the pasted face lies in each frame, relative to its right place: (T, 4) dx, dy, zoom, turn."""

    values: np.ndarray

    def matrix(self, index: int, fit: FaceFit, scale: float = 1.0) -> np.ndarray:
        """(2, 3) from the frame to the frame."""
        dx, dy, zoom, turn = self.values[index] * scale
        center = fit.place(np.array([[0.0, 0.35]]))[0]
        matrix = cv2.getRotationMatrix2D((float(center[0]), float(center[1])), turn, 1.0 + zoom)
        matrix[:, 2] += np.array([dx, dy]) * fit.width
        return matrix


def pseudo_fake_pair(
    frames: np.ndarray,
    landmarks: np.ndarray,
    generator: np.random.Generator,
    settings: PseudoFakeSettings,
    donor: tuple[np.ndarray, np.ndarray] | None = None,
) -> PseudoFakePair | None:
    """A genuine clip (T, H, W, 3) uint8 with landmarks (T, 5, 2) -> it and a manipulated version.

    ``donor``: frames and landmarks of another person, at least one frame. None where the face is too small,
    or seen so much from the side that no manipulation shows.
    """
    clip = Clip(frames, landmarks.astype(np.float64))
    other = Clip(donor[0], donor[1].astype(np.float64)) if donor is not None else None
    fits = [FaceFit(points) for points in clip.landmarks]
    if min(fit.width for fit in fits) < MIN_FACE_WIDTH:
        return None
    for _ in range(ATTEMPTS):
        kind = _draw_kind(generator, settings, with_donor=other is not None)
        fake, mask = _manipulate(kind, clip, fits, other, generator, settings)
        weight = float(mask.sum())
        change = np.abs(fake.astype(np.int16) - frames).mean(axis=-1)
        if weight > 0 and float((change * mask).sum()) / weight >= LEAST_CHANGE:
            if settings.surroundings and generator.random() < settings.surroundings:
                fake, mask = _change_surroundings(frames, mask, draw_mismatch(generator, fits[0].width))
            return PseudoFakePair(frames, fake, mask, kind)
    return None


def _draw_kind(generator: np.random.Generator, settings: PseudoFakeSettings, with_donor: bool) -> str:
    weights = settings.weights()
    if not with_donor:
        weights["self_blend"] += weights.pop("swap")
    values = np.array(list(weights.values()))
    return str(generator.choice(list(weights), p=values / values.sum()))


def _manipulate(
    kind: str,
    clip: Clip,
    fits: list[FaceFit],
    donor: Clip | None,
    generator: np.random.Generator,
    settings: PseudoFakeSettings,
) -> tuple[np.ndarray, np.ndarray]:
    """The manipulated frames and the mask of what was replaced."""
    region = _draw_region(kind, generator)
    outline = smooth_outline(REGIONS[region], generator, deform=0.05)
    feather = generator.uniform(*settings.feather)
    opacity = generator.uniform(*settings.opacity)
    if kind == "swap":
        # Two faces that shine through each other are no fake that anyone makes.
        opacity = max(opacity, MIN_SWAP_OPACITY)
    width = fits[0].width
    motion = _draw_motion(len(clip.frames), generator, settings)
    shape = clip.frames.shape[1:3]
    # The place is wrong where a face is pasted; drawn anew in its own place it is the texture that is.
    misplaced = {"self_blend": 1.0, "swap": 1.0, "region_warp": 0.0, "resynthesis": 0.5, "smoothing": 0.15}
    bulge = _draw_bulge(region, generator) if kind == "region_warp" else None
    change = _draw_change(kind, generator, settings, width)
    matched: Change | None = None
    fakes, masks = [], []
    for index, (frame, fit) in enumerate(zip(clip.frames, fits, strict=True)):
        mask = draw_mask(fit.place(outline), shape, feather * fit.width)
        if kind == "swap" and donor is not None:
            pasted, matched = _donor_face(donor, index, fit, frame, mask, matched)
        elif bulge is not None:
            pasted = _warp(frame, fit, bulge, float(motion.values[index, 2]))
        else:
            pasted = frame
        pasted = change(pasted)
        if misplaced[kind]:
            matrix = motion.matrix(index, fit, misplaced[kind])
            pasted = cv2.warpAffine(
                pasted, matrix, shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
            )
        mask = mask * opacity
        fakes.append(_blend(pasted, frame, mask))
        masks.append(mask)
    return np.stack(fakes), np.stack(masks)


def _change_surroundings(
    frames: np.ndarray, mask: np.ndarray, change: Change
) -> tuple[np.ndarray, np.ndarray]:
    """The frames with their face as it is and the rest changed, and the mask of what was."""
    around = 1.0 - mask
    return np.stack([_blend(change(f), f, m) for f, m in zip(frames, around, strict=True)]), around


def _draw_region(kind: str, generator: np.random.Generator) -> str:
    if kind == "region_warp":
        return str(generator.choice(["mouth", "lower", "eyes", "inner"], p=[0.35, 0.3, 0.2, 0.15]))
    if kind == "smoothing":
        return str(generator.choice(["lower", "face", "inner", "head", "mouth"], p=[0.3, 0.3, 0.2, 0.1, 0.1]))
    if kind == "resynthesis":
        return str(generator.choice(["face", "head", "inner", "lower"], p=[0.35, 0.25, 0.25, 0.15]))
    return str(generator.choice(["face", "head", "inner", "lower", "mouth"], p=[0.4, 0.2, 0.2, 0.1, 0.1]))


def _draw_change(
    kind: str, generator: np.random.Generator, settings: PseudoFakeSettings, width: float
) -> Change:
    """What is done to the pasted face's look."""
    if kind == "resynthesis":
        factor = min(generator.uniform(*settings.resolution) / width, 0.8)
        lower, smooth = at_resolution(factor, int(generator.integers(2))), draw_smoothing(generator, width)
        color = draw_color(generator) if generator.random() < 0.5 else None
        with_smoothing = generator.random() < 0.5
        return lambda frame: _in_turn(frame, lower, smooth if with_smoothing else None, color)
    if kind == "smoothing":
        smooth = draw_smoothing(generator, width)
        color = draw_color(generator) if generator.random() < 0.25 else None
        return lambda frame: _in_turn(frame, smooth, color)
    if kind == "region_warp":
        smooth = draw_smoothing(generator, width) if generator.random() < 0.5 else None
        lower = at_resolution(generator.uniform(0.4, 0.9)) if generator.random() < 0.5 else None
        color = draw_color(generator) if generator.random() < 0.25 else None
        return lambda frame: _in_turn(frame, smooth, lower, color)
    return draw_mismatch(generator, width)


def _in_turn(frame: np.ndarray, *changes: Change | None) -> np.ndarray:
    for change in changes:
        if change is not None:
            frame = change(frame)
    return frame


def _draw_motion(num_frames: int, generator: np.random.Generator, settings: PseudoFakeSettings) -> _Motion:
    """A constant misplacement, a slow drift, and in some clips a tremble."""
    largest = np.array([settings.shift, settings.shift, settings.scale, 3.0])
    constant = generator.uniform(-1.0, 1.0, 4) * largest
    steps = generator.normal(size=(num_frames, 4)).cumsum(axis=0) / np.sqrt(max(num_frames, 1))
    drift = (steps - steps.mean(axis=0)) * settings.drift * np.array([1.0, 1.0, 1.0, 30.0])
    if generator.random() < settings.flicker:
        drift = drift + generator.normal(size=(num_frames, 4)) * settings.drift * np.array(
            [0.4, 0.4, 0.4, 15.0]
        )
    return _Motion(constant + drift)


def _donor_face(
    donor: Clip,
    index: int,
    fit: FaceFit,
    frame: np.ndarray,
    mask: np.ndarray,
    matched: Change | None,
) -> tuple[np.ndarray, Change]:
    """The donor's frame laid over the target's face, in the target's colours (chosen in the first frame)."""
    donor_index = index % len(donor.frames)
    donor_fit = FaceFit(donor.landmarks[donor_index])
    donor_full = np.vstack([donor_fit.matrix, [0.0, 0.0, 1.0]])
    to_target = fit.matrix @ np.linalg.inv(donor_full)
    shape = frame.shape[:2]
    laid = cv2.warpAffine(
        donor.frames[donor_index],
        to_target,
        shape[::-1],
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    if matched is None:
        inside = mask > 0.5
        if not inside.any():
            inside = np.ones(shape, bool)
        matched = matched_color(laid, inside, frame, inside)
    return matched(laid), matched


def _draw_bulge(region: str, generator: np.random.Generator) -> np.ndarray:
    """(K, 5) canonical centre x, y, displacement x, y and reach: what moves."""
    if region in REGION_CENTERS:
        center = np.array(REGION_CENTERS[region])
    else:
        center = np.array([0.0, 0.6]) if region == "lower" else np.array([0.0, 0.35])
    count = int(generator.integers(1, 4))
    rows = []
    for _ in range(count):
        place = center + generator.uniform([-0.25, -0.12], [0.25, 0.12])
        angle, length = generator.uniform(0, 2 * np.pi), generator.uniform(0.03, 0.10)
        reach = generator.uniform(0.12, 0.3)
        rows.append([*place, length * np.cos(angle), length * np.sin(angle), reach])
    return np.array(rows)


def _warp(frame: np.ndarray, fit: FaceFit, bulge: np.ndarray, phase: float) -> np.ndarray:
    """Moves parts of the face by smooth bumps; ``phase`` lets them move a little over a clip."""
    height, width = frame.shape[:2]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    map_x, map_y = columns.copy(), rows.copy()
    linear = fit.matrix[:, :2]
    for x, y, dx, dy, reach in bulge:
        center = fit.place(np.array([[x, y]]))[0]
        move = linear @ np.array([dx, dy]) * (1.0 + 4.0 * phase)
        sigma = reach * fit.width / 1.3
        bump = np.exp(
            -((columns - np.float32(center[0])) ** 2 + (rows - np.float32(center[1])) ** 2)
            / np.float32(2.0 * sigma**2)
        )
        map_x -= bump * np.float32(move[0])
        map_y -= bump * np.float32(move[1])
    return cv2.remap(frame, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def _blend(pasted: np.ndarray, target: np.ndarray, mask: np.ndarray) -> np.ndarray:
    weight = mask[..., None]
    return (pasted * weight + target * (1.0 - weight) + 0.5).astype(np.uint8)
