"""Everything that a person waits for, measured in one go: one table, and JSON.

    python tools/benchmarks/all.py [VIDEO] [--rounds 3] [--threads N] [--json FILE]

``detect`` and ``preprocess`` against decoding alone, face detection against facenet-pytorch as is, the model
against Hugging Face's VideoMAE and against the machine's own matrix product, the augmentation against
Albumentations as is, and how long ``serve`` takes to answer. Without VIDEO a 10-second 1080p face video is
made. Ratios hold from machine to machine better than seconds; a quiet machine, please: some ten minutes.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

# isort: off
# First: it keeps Albumentations from asking a server for its newest version.
from augment import compare_sets

import detect
import faces
import model
import torch
from figures import Figure, markdown
from serve import free_port

from deepfake_ssat.config.model import ModelSettings
from deepfake_ssat.outputs import write_file
from deepfake_ssat.version import __version__
from deepfake_ssat.video import open_video

MORE_VIDEOS = 3
"""Copies whose preprocessing is compared with that of one: what is paid once falls out."""
START_SECONDS = 60


def main() -> None:
    """Parses, measures, prints the table and writes the document."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("video", type=Path, nargs="?", help="default: a 10-second 1080p video made here")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of torch")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        video = options.video or detect.make_video(Path(folder) / "made.mp4")
        figures = list(measure(video, Path(folder), options.rounds))
    print(f"\n{markdown(figures)}")
    if options.json is not None:
        document = {
            "version": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "machine": platform.machine(),
            "threads": options.threads,
            "figures": [figure.record() for figure in figures],
        }
        write_file(options.json, (json.dumps(document, indent=2) + "\n").encode())


def measure(video: Path, folder: Path, rounds: int) -> Iterator[Figure]:
    """All figures, each part as soon as it is done."""
    yield from detect.measure(video, None, rounds)
    seconds, decoding = cpu_seconds_of_preprocess(video, folder), cpu_seconds_of_decoding(video, rounds)
    yield Figure("`preprocess`, all clips, CPU time", seconds / decoding, "× decoding")
    with open_video(video) as reader:
        duration = reader.metadata.duration_seconds or 10.0
    yield Figure("`preprocess`, CPU time of 10 s of video", 10 * seconds / duration, "s", 2.5)
    yield Figure("`serve` from start to answer", seconds_until_served(folder / "jobs"), "s", 3.0)
    faster = faces.compare(video, num_frames=16).ratio
    yield Figure("face detection against facenet-pytorch as is", faster, "×", 10.0, more_is_better=True)
    settings = ModelSettings.model_validate({"image_size": 112, "encoder": {"preset": "small"}})
    yield from model.compare_training_steps(settings, "cpu", batch=4, repeats=rounds)
    yield from model.compare_forward_to_products(settings, "cpu", repeats=max(rounds, 9))
    faster = compare_sets(frames=16, size=224, draws=60)
    yield Figure("the DFDC winner's augmentation against Albumentations as is", faster, "×")


def cpu_seconds_of_preprocess(video: Path, folder: Path) -> float:
    """Of one video more among others: of the command and its worker."""
    seconds = []
    for count in (1, 1 + MORE_VIDEOS):
        root = folder / f"corpus_{count}"
        (root / "real").mkdir(parents=True)
        for number in range(count):
            shutil.copyfile(video, root / "real" / f"{number}{video.suffix}")
        usage, _ = detect.run_command(
            ["preprocess", "folder", root, "--out", folder / f"clips_{count}", "--workers", 1]
        )
        seconds.append(usage.ru_utime + usage.ru_stime)
    return (seconds[1] - seconds[0]) / MORE_VIDEOS


def cpu_seconds_of_decoding(video: Path, rounds: int) -> float:
    """Median over the rounds."""
    times = []
    for _ in range(rounds):
        started = time.process_time()
        detect.decode(video)
        times.append(time.process_time() - started)
    return statistics.median(times)


def seconds_until_served(folder: Path) -> float:
    """From the start of the command to the first answer of its health check."""
    port = free_port()
    command = [sys.executable, "-m", "deepfake_ssat", "serve", "--port", str(port), "--folder", str(folder)]
    started = time.perf_counter()
    service = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while time.perf_counter() - started < START_SECONDS:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                    return time.perf_counter() - started
            except OSError:
                time.sleep(0.02)
        raise SystemExit(f"serve did not answer within {START_SECONDS} s")
    finally:
        service.terminate()
        service.wait()


if __name__ == "__main__":
    main()
