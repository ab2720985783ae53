"""Tiny manifests whose clips hold faces, with landmarks: drawn ones, all different."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from deepfake_ssat.clips.landmarks import write_landmarks
from deepfake_ssat.clips.stills import still_clip
from deepfake_ssat.clips.storage import ClipWriter
from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.manifest import Manifest, load_manifest, write_manifest
from deepfake_ssat.records import REAL, ManifestRow
from tests.manifests import FPS, TinyVideo, tiny_row
from tests.portraits import background, portrait

LANDMARKS = np.array([[0.39, 0.40], [0.585, 0.395], [0.49, 0.53], [0.42, 0.625], [0.575, 0.62]])
"""Of the portrait's head, in parts of its side."""


def drawn_face(size: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One of endlessly many faces: (size, size, 3) uint8 and landmarks (5, 2).

    The portrait in another colour, light, size, place and sharpness, some mirrored, on another background.
    """
    head, points = portrait(size).astype(np.float32), LANDMARKS.copy()
    if generator.random() < 0.5:
        head, points = head[:, ::-1], (points * [-1, 1] + [1, 0])[[1, 0, 2, 4, 3]]
    head = head * generator.uniform(0.6, 1.15, 3) + generator.uniform(-15, 15)
    slope = np.linspace(*generator.uniform(0.8, 1.2, 2), len(head), dtype=np.float32)
    head = np.clip(head * slope[None, :, None], 0, 255).astype(np.uint8)
    points = points * len(head)
    scale = size / len(head) * generator.uniform(0.85, 1.15)
    matrix = cv2.getRotationMatrix2D((len(head) / 2, len(head) / 2), generator.uniform(-12, 12), scale)
    matrix[:, 2] += size / 2 - len(head) / 2 + generator.uniform(-0.04, 0.04, 2) * size
    plain = background(size, size, int(generator.integers(1 << 31)))
    drawn = cv2.warpAffine(
        head,
        matrix,
        (size, size),
        dst=plain.copy(),
        borderMode=cv2.BORDER_TRANSPARENT,
        flags=cv2.INTER_LINEAR,
    )
    if generator.random() < 0.3:
        drawn = cv2.GaussianBlur(drawn, (0, 0), generator.uniform(0.5, 1.2))
    return drawn, points @ matrix[:, :2].T + matrix[:, 2]


def make_face_manifest(
    folder: Path,
    videos: Sequence[TinyVideo],
    size: int = 64,
    frames: int = 20,
    clip_frames: int = 16,
    seed: int = 0,
    stills: Sequence[str] = (),
) -> Manifest:
    """A face in every video; those named in ``stills`` hold one frame."""
    contract = ExtractionSettings(frames=clip_frames, crop_size=size)
    generator = np.random.default_rng(seed)
    rows: list[ManifestRow] = []
    for video in videos:
        picture, points = drawn_face(size, generator)
        pixels, landmarks = still_clip(picture, points, frames, generator)
        row = tiny_row(video, 0, frames, contract)
        if video.video_id in stills:
            pixels, landmarks = picture[None], points[None]
            row = replace(row, num_frames=1, end_seconds=0.0)
        with ClipWriter(folder / row.clip_file, fps=FPS) as writer:
            writer.write(pixels)
        write_landmarks(folder / row.clip_file, landmarks)
        rows.append(row)
    write_manifest(folder, rows, (), contract)
    return load_manifest(folder)


def real_videos(count: int, split: str = "train") -> list[TinyVideo]:
    """So many genuine videos of as many people."""
    return [TinyVideo(f"{split}{number}", REAL, split) for number in range(count)]
