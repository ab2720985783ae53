"""Makes a small genuine and a manipulated face video from scikit-image's public-domain astronaut portrait.

    python tools/make_demo_videos.py FOLDER

Genuine: the portrait moves before a camera with changing light and sensor noise. Manipulated: the same, but
the inner face is warped, recoloured and softened frame by frame and blended back, as a crude face swap does.
Real deepfakes are much better: this shows the tool at work, and says nothing of its quality.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from skimage.data import astronaut

from deepfake_ssat.video.perturbation.h264 import REPEATABLE

SIDE = 320
FPS = 25
SECONDS = 2.0
FACE_CENTER = np.array([224.0, 116.0])
"""x, y of the face in the portrait."""
FACE_RADII = (40, 54)
"""Half width and half height of the part that is replaced, in portrait pixels."""
PATCH = 152
"""Side of the square of the portrait that a manipulation touches."""
PALE = np.array([0.87, 1.0, 1.15])
"""Red, green and blue of a manipulated face."""
SEED = 10_000
OPTIONS = {"crf": "18", "preset": "veryfast", "x264-params": REPEATABLE}
"""Of the encoder, for the same bytes every time."""


def make_demo_videos(folder: Path) -> None:
    """Writes ``genuine.mp4`` and ``manipulated.mp4``, which differ in the face alone."""
    write_video(folder / "genuine.mp4", face_video(SEED, manipulated=False))
    write_video(folder / "manipulated.mp4", face_video(SEED, manipulated=True))


def face_video(
    seed: int, *, manipulated: bool, num_frames: int = round(SECONDS * FPS)
) -> Iterator[np.ndarray]:
    """(SIDE, SIDE, 3) uint8 frames; the seed decides movement, light, mirroring and noise."""
    generator = np.random.default_rng(seed)
    portrait = astronaut()
    mirrored = bool(generator.integers(2))
    zoom = generator.uniform(1.0, 1.4)
    tilt = generator.uniform(-8, 8)
    shift = generator.uniform(-25, 25, size=2)
    light = generator.uniform(0.75, 1.15)
    tint = generator.uniform(0.93, 1.07, size=3)
    noise = generator.uniform(3, 6)
    phases = generator.uniform(0, 2 * np.pi, size=5)
    speeds = generator.uniform(0.5, 1.6, size=5)
    for frame in range(num_frames):
        wave = np.sin(phases + speeds * 2 * np.pi * frame / num_frames)
        picture = portrait
        if manipulated:
            picture = replace_face(portrait, generator)
        turn = cv2.getRotationMatrix2D(
            tuple(FACE_CENTER.tolist()), float(tilt + 5 * wave[0]), float(zoom * (1 + 0.05 * wave[1]))
        )
        turn[:, 2] += SIDE / 2 - FACE_CENTER + shift + 12 * wave[2:4]
        moved = cv2.warpAffine(
            picture, turn, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        lit = moved * (light * (1 + 0.08 * wave[4]) * tint).astype(np.float32)
        grain = noise * generator.standard_normal(lit.shape, dtype=np.float32)
        seen = np.clip(lit + grain, 0, 255).astype(np.uint8)
        yield seen[:, ::-1] if mirrored else seen


def replace_face(portrait: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The portrait with its inner face warped, recoloured and softened, differently in every frame."""
    left, top = (FACE_CENTER - PATCH / 2).astype(int)
    patch = portrait[top : top + PATCH, left : left + PATCH].astype(np.float32)
    middle = (PATCH / 2, PATCH / 2)
    move = cv2.getRotationMatrix2D(middle, float(generator.normal(0, 3)), float(generator.normal(1.05, 0.02)))
    move[:, 2] += generator.normal(0, 2.0, size=2)
    face = cv2.warpAffine(patch, move, (PATCH, PATCH), borderMode=cv2.BORDER_REPLICATE)
    face = cv2.GaussianBlur(face, (0, 0), 1.8)
    face = face * PALE * (generator.normal(1.0, 0.06) * (1 + generator.normal(0, 0.03, size=3)))
    mask = np.zeros((PATCH, PATCH), np.float32)
    cv2.ellipse(mask, (PATCH // 2, PATCH // 2), FACE_RADII, 0, 0, 360, 1.0, thickness=-1)
    weight = cv2.GaussianBlur(mask, (0, 0), 4.0)[..., None]
    replaced = portrait.copy()
    replaced[top : top + PATCH, left : left + PATCH] = np.clip(patch + (face - patch) * weight, 0, 255)
    return replaced


def write_video(path: Path, frames: Iterator[np.ndarray]) -> None:
    """H.264 at a quality between FaceForensics++'s raw and c23."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options=OPTIONS)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the videos go")
    make_demo_videos(parser.parse_args().folder)
