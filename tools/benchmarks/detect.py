"""Times ``detect`` against decoding alone, in one run: 4 clips, all clips, cold start and peak memory.

    python tools/benchmarks/detect.py [VIDEO] [--rounds 3] [--threads N] [--checkpoint FILE]

Without VIDEO a 10-second 1080p face video is made. The net is ViT-S on 16 x 224 x 224 with random weights:
time does not depend on what it learnt. Times are medians of interleaved rounds; use the ratios, and a quiet
machine.
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
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from skimage.data import astronaut

from deepfake_ssat.config import EncoderSettings, ExtractionSettings, ModelSettings
from deepfake_ssat.inference.detector import load_detector
from deepfake_ssat.models.checkpoint import Checkpoint, save_checkpoint
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.video import open_video

WIDTH, HEIGHT, FPS, SECONDS = 1920, 1080, 25, 10
MEGABYTES_PER_MAXRSS = (1 if sys.platform == "darwin" else 1024) / 1e6


def main() -> None:
    """Parses, measures, prints one line a figure with its target."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("video", type=Path, nargs="?", help="default: a 10-second 1080p video made here")
    parser.add_argument("--checkpoint", type=Path, help="instead of the random ViT-S")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="CPU threads of torch")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        video = options.video or make_video(Path(folder) / "made.mp4")
        checkpoint = options.checkpoint or write_random_checkpoint(Path(folder) / "vit_s.safetensors")
        measure(video, checkpoint, options.rounds)


def measure(video: Path, checkpoint: Path, rounds: int) -> None:
    """All figures for one video."""
    detector = load_detector(checkpoint)
    with open_video(video) as reader:
        seconds = reader.metadata.duration_seconds or float("nan")
        print(
            f"{video.name}: {reader.metadata.width} x {reader.metadata.height}, {seconds:.1f} s, "
            f"{torch.get_num_threads()} threads, {detector.precision}"
        )
    cases: dict[str, Callable[[], object]] = {
        "decoding alone": lambda: decode(video),
        "detect, 4 clips, warm": lambda: detector.detect(video, clips=4),
        "detect, all clips, warm": lambda: detector.detect(video, clips=None),
    }
    verdict = detector.detect(video, clips=None)
    print(f"{verdict.status.value}, {len(verdict.faces)} faces, {len(verdict.clips)} clips in all")
    times = medians(cases, rounds)
    decoding, few, every = times.values()
    cold, cold_memory = run_command(video, checkpoint, "4")
    _, all_memory = run_command(video, checkpoint, "all")
    print(f"{'decoding alone':<28} {decoding:6.2f} s")
    print(f"{'detect, 4 clips, warm':<28} {few:6.2f} s  {few / decoding:5.2f} x decoding (target 2.2)")
    print(
        f"{'detect, all clips, warm':<28} {every:6.2f} s  {every / decoding:5.2f} x decoding (target 6), "
        f"{seconds / every:.1f} x real time (target 2)"
    )
    print(f"{'command, 4 clips, cold':<28} {cold:6.2f} s  (target 4)")
    print(f"{'peak memory, 4 clips':<28} {cold_memory:6.0f} MB (target 1000)")
    print(f"{'peak memory, all clips':<28} {all_memory:6.0f} MB (target 1000)")


def decode(video: Path) -> int:
    """Every frame decoded, none converted: the floor."""
    with open_video(video) as reader:
        return sum(1 for _ in reader)


def medians(cases: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Seconds of each case, the rounds interleaved so that a busy minute touches all of them."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            started = time.perf_counter()
            case()
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in times.items()}


def run_command(video: Path, checkpoint: Path, clips: str) -> tuple[float, float]:
    """Seconds and peak memory in MB of the command in a process of its own."""
    command = [sys.executable, "-m", "deepfake_ssat", "detect", str(video)]
    command += ["--checkpoint", str(checkpoint), "--clips", clips]
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}")
    return time.perf_counter() - started, peak_megabytes(usage)


def peak_megabytes(usage: resource.struct_rusage) -> float:
    """The largest resident set."""
    return usage.ru_maxrss * MEGABYTES_PER_MAXRSS


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
