"""Times ``detect`` against decoding alone, in one run: 4 clips, all clips, cold start and peak memory.

    python tools/benchmarks/detect.py [VIDEO] [--rounds 3] [--threads N] [--checkpoint FILE | --vit-s]

Without VIDEO a 10-second 1080p face video is made. Times are medians of interleaved rounds; use the ratios,
and a quiet machine.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from figures import MEGABYTES_PER_MAXRSS, Figure, markdown
from skimage.data import astronaut

from deepfake_ssat.config import EncoderSettings, ExtractionSettings, ModelSettings
from deepfake_ssat.inference.detector import load_detector
from deepfake_ssat.models.checkpoint import Checkpoint, save_checkpoint
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.video import open_video

WIDTH, HEIGHT, FPS, SECONDS = 1920, 1080, 25, 10


def main() -> None:
    """Parses, measures, prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("video", type=Path, nargs="?", help="default: a 10-second 1080p video made here")
    parser.add_argument("--checkpoint", type=Path, help="instead of the weights that ship")
    parser.add_argument("--vit-s", action="store_true", help="a random ViT-S on 16 x 224 x 224 instead")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="CPU threads of torch")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        video = options.video or make_video(Path(folder) / "made.mp4")
        checkpoint = options.checkpoint
        if options.vit_s:
            checkpoint = write_random_checkpoint(Path(folder) / "vit_s.safetensors")
        print(markdown(measure(video, checkpoint, options.rounds)))


def measure(video: Path, checkpoint: Path | None, rounds: int) -> list[Figure]:
    """All figures for one video."""
    detector = load_detector(checkpoint)
    with open_video(video) as reader:
        seconds = reader.metadata.duration_seconds or float("nan")
        size = f"{reader.metadata.width} x {reader.metadata.height}, {seconds:.1f} s"
    verdict = detector.detect(video, clips=None)
    print(
        f"{video.name}: {size}, {torch.get_num_threads()} threads, {detector.precision}; "
        f"{verdict.status.value}, {len(verdict.faces)} faces, {len(verdict.clips)} clips in all"
    )
    decoding, few, every = medians(
        (
            lambda: decode(video),
            lambda: detector.detect(video, clips=4),
            lambda: detector.detect(video, clips=None),
        ),
        rounds,
    )
    cold, few_memory = run_detect(video, checkpoint, "4")
    _, every_memory = run_detect(video, checkpoint, "all")
    return [
        Figure("`detect`, 4 clips, warm", few / decoding, "× decoding", 1.5),
        Figure("`detect`, all clips, warm", every / decoding, "× decoding", 2.8),
        Figure("the same, in real time", seconds / every, "×", 2.0, more_is_better=True),
        Figure("`detect` from cold to verdict, 4 clips", cold / decoding, "× decoding"),
        Figure("`detect` from cold to verdict, 4 clips", cold, "s", 3.0),
        Figure("peak memory, 4 clips", few_memory, "MB", 800),
        Figure("peak memory, all clips", every_memory, "MB", 800),
    ]


def decode(video: Path) -> int:
    """Every frame decoded, none converted: the floor."""
    with open_video(video) as reader:
        return sum(1 for _ in reader)


def medians(cases: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Seconds of each case, the rounds interleaved so that a busy minute touches all of them."""
    times: list[list[float]] = [[] for _ in cases]
    for _ in range(rounds):
        for case, own in zip(cases, times, strict=True):
            started = time.perf_counter()
            case()
            own.append(time.perf_counter() - started)
    return [statistics.median(own) for own in times]


def run_detect(video: Path, checkpoint: Path | None, clips: str) -> tuple[float, float]:
    """Seconds and peak memory in MB of the command in a process of its own."""
    weights = ["--checkpoint", checkpoint] if checkpoint else []
    usage, seconds = run_command(["detect", video, *weights, "--clips", clips])
    return seconds, usage.ru_maxrss * MEGABYTES_PER_MAXRSS


def run_command(words: Sequence[object]) -> tuple[resource.struct_rusage, float]:
    """What a verb used, its workers too, and the seconds it took."""
    command = [sys.executable, "-m", "deepfake_ssat", *map(str, words)]
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}")
    return usage, time.perf_counter() - started


def write_random_checkpoint(path: Path) -> Path:
    """ViT-S geometry as the paper's video model has it."""
    torch.manual_seed(0)
    settings = ModelSettings(encoder=EncoderSettings(preset="small"))  # pyright: ignore[reportCallIssue]
    contract = ExtractionSettings()  # pyright: ignore[reportCallIssue]
    save_checkpoint(path, Checkpoint(MaskedAutoencoder(settings), settings, contract))
    return path


def make_video(path: Path) -> Path:
    """A face of some 190 pixels that wanders through a noisy 1080p picture."""
    portrait = cv2.resize(astronaut(), (900, 900))
    generator = np.random.default_rng(0)
    grain = generator.integers(0, 24, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "20", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(SECONDS * FPS):
            picture = np.roll(grain, (13 * index, 29 * index), axis=(0, 1)) + 90
            left = 500 + round(200 * np.sin(index / 40))
            top = 90 + round(60 * np.sin(index / 25))
            picture[top : top + 900, left : left + 900] = portrait
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


if __name__ == "__main__":
    main()
