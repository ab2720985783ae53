"""Compares file formats for face clips: size a minute, writing, and reading 16 frames at a random place.

    python tools/benchmarks/storage.py VIDEO [VIDEO ...] [--size 224] [--seconds 8] [--reads 20]

The clips are the videos' own middle squares, so the numbers hold for that material; all candidates see the
same frames, and all but ours under ``--clip-crf`` are lossless. Prints a Markdown table of medians. 16 frames
are read from a file opened anew each time, as a training loader does.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np

from deepfake_ssat.clips.storage import ClipWriter, read_frames
from deepfake_ssat.video import open_video

FRAMES_READ = 16


@dataclass(frozen=True)
class Candidate:
    """One way to store a clip."""

    name: str
    write: Callable[[Path, np.ndarray, float], None]
    read: Callable[[Path, Sequence[int]], np.ndarray]
    is_lossless: bool = True


@dataclass(frozen=True)
class Measurement:
    """What one candidate cost on one video."""

    megabytes_per_minute: float
    write_ms_per_frame: float
    read_ms: float
    psnr: float
    """Decibels of the frames that were read; infinite where they are lossless."""


def write_ours(path: Path, pixels: np.ndarray, fps: float, crf: int = 0) -> None:
    """H.264 RGB, as preprocess writes it; pixels are (T, H, W, 3)."""
    with ClipWriter(path.with_suffix(".mp4"), fps, crf) as writer:
        writer.write(pixels)


def read_ours(path: Path, indices: Sequence[int]) -> np.ndarray:
    """(T, H, W, 3), as the training loader reads it."""
    return read_frames(path.with_suffix(".mp4"), indices)


def intra_only(codec: str, container_name: str, pixel_format: str, options: dict[str, str]) -> Candidate:
    """A lossless codec of key frames only, read by PyAV."""
    suffix = f".{container_name}"

    def write(path: Path, pixels: np.ndarray, fps: float) -> None:
        rate = Fraction(fps).limit_denominator(1001)
        with av.open(str(path.with_suffix(suffix)), "w") as container:
            stream = container.add_stream(codec, rate=rate, options=options)
            stream.height, stream.width, stream.pix_fmt = *pixels.shape[1:3], pixel_format
            for picture in pixels:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))

    def read(path: Path, indices: Sequence[int]) -> np.ndarray:
        with av.open(str(path.with_suffix(suffix))) as container:
            stream = container.streams.video[0]
            assert stream.average_rate is not None
            assert stream.time_base is not None
            container.seek(round(indices[0] / stream.average_rate / stream.time_base), stream=stream)
            pictures: dict[int, np.ndarray] = {}
            for frame in container.decode(stream):
                index = round(float((frame.pts or 0) * stream.time_base * stream.average_rate))
                pictures[index] = frame.to_ndarray(format="rgb24")
                if index >= indices[-1]:
                    break
        return np.stack([pictures[index] for index in indices])

    return Candidate(f"{codec} in {container_name.upper()}", write, read)


def write_pictures(path: Path, pixels: np.ndarray, fps: float) -> None:
    """A folder of PNG files."""
    path.mkdir()
    for index, picture in enumerate(pixels):
        cv2.imwrite(str(path / f"{index:05d}.png"), picture[:, :, ::-1])


def read_pictures(path: Path, indices: Sequence[int]) -> np.ndarray:
    """(T, H, W, 3) from a folder of PNG files."""
    pictures = [cv2.imread(str(path / f"{index:05d}.png")) for index in indices]
    return np.stack([picture[:, :, ::-1] for picture in pictures if picture is not None])


CANDIDATES = (
    Candidate("libx264rgb in MP4 (ours)", write_ours, read_ours),
    *(
        Candidate(f"ours, --clip-crf {crf}", partial(write_ours, crf=crf), read_ours, is_lossless=False)
        for crf in (10, 14, 18)
    ),
    intra_only("ffv1", "mkv", "bgr0", {"level": "3", "slices": "4", "slicecrc": "1"}),
    intra_only("utvideo", "avi", "gbrp", {}),
    Candidate("PNG folder", write_pictures, read_pictures),
)


def middle_squares(video: Path, size: int, seconds: float) -> tuple[np.ndarray, float]:
    """((T, size, size, 3) uint8 from the start of the video, frames a second)."""
    pictures = []
    with open_video(video) as reader:
        fps = reader.metadata.fps
        for frame in islice(reader, round(seconds * fps)):
            picture = frame.rgb()
            side = min(picture.shape[:2])
            top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
            square = picture[top : top + side, left : left + side]
            pictures.append(cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA))
    return np.stack(pictures), fps


def measure(
    candidate: Candidate, pixels: np.ndarray, fps: float, reads: int, generator: np.random.Generator
) -> Measurement:
    """Write the clip, check that it is lossless where it should be, and time ``reads`` random reads."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip"
        start = time.perf_counter()
        candidate.write(path, pixels, fps)
        write_seconds = time.perf_counter() - start
        num_bytes = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
        read_seconds, errors = [], []
        for first in generator.integers(0, len(pixels) - FRAMES_READ + 1, reads):
            start = time.perf_counter()
            read = candidate.read(path, range(first, first + FRAMES_READ))
            read_seconds.append(time.perf_counter() - start)
            errors.append(np.mean((read.astype(float) - pixels[first : first + FRAMES_READ]) ** 2))
            if candidate.is_lossless and errors[-1]:
                raise SystemExit(f"{candidate.name} is not lossless at frame {first}")
    error = float(np.mean(errors))
    return Measurement(
        num_bytes / 1e6 / (len(pixels) / fps / 60),
        write_seconds / len(pixels) * 1e3,
        statistics.median(read_seconds) * 1e3,
        10 * math.log10(255**2 / error) if error else math.inf,
    )


def main() -> None:
    """Measure every candidate on every video and print the medians over videos."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--size", type=int, default=224, help="side of the clips in pixels")
    parser.add_argument("--seconds", type=float, default=8, help="of each video")
    parser.add_argument("--reads", type=int, default=20, help="random reads per video and candidate")
    options = parser.parse_args()
    measured: dict[str, list[Measurement]] = {candidate.name: [] for candidate in CANDIDATES}
    for video in options.videos:
        pixels, fps = middle_squares(video, options.size, options.seconds)
        if len(pixels) < FRAMES_READ:
            raise SystemExit(f"{video} has {len(pixels)} frames, {FRAMES_READ} are read at a time")
        for candidate in CANDIDATES:
            generator = np.random.default_rng(0)
            measured[candidate.name].append(measure(candidate, pixels, fps, options.reads, generator))
    print(f"{len(options.videos)} videos, {options.size} px, medians\n")
    print(
        "| format | MB per minute | write, ms per frame | read 16 frames, ms | PSNR, dB |\n"
        + "|---" * 5
        + "|"
    )
    for name, rows in measured.items():
        size, write, read, psnr = (
            statistics.median(getattr(row, field) for row in rows)
            for field in ("megabytes_per_minute", "write_ms_per_frame", "read_ms", "psnr")
        )
        print(f"| {name} | {size:.1f} | {write:.2f} | {read:.1f} | {psnr:.1f} |")


if __name__ == "__main__":
    main()
