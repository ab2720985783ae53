"""Times face extraction against decoding alone, in one run: a few clips, and all; and its peak memory.

    python tools/benchmarks/extract.py VIDEO [VIDEO ...] [--clips 4] [--rounds 3] [--threads 1]

Prints a Markdown table: CPU seconds of decoding without converting a frame, and what extraction costs in
parts of it, medians of interleaved rounds. Peak memory is of the whole process, which only grows; its share
that the libraries and networks take before the first video is named below. Use the ratios, and a quiet
machine.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import torch
from figures import peak_megabytes

from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.faces.extract import FaceExtractor
from deepfake_ssat.video import open_video


def main() -> None:
    """Parses, measures each video, prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--clips", type=int, default=4, help="spread over the video in the first case")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of torch and OpenCV")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    extractor = FaceExtractor(ExtractionSettings())  # pyright: ignore[reportCallIssue]
    at_start = peak_megabytes()
    print(f"| video | frames | decode s | {options.clips} clips | all | clips | peak MB |")
    print("|---|---|---|---|---|---|---|")
    for video in options.videos:
        print(measure(video, extractor, options.clips, options.rounds), flush=True)
    print(f"before the first video: {at_start:.0f} MB")


def measure(video: Path, extractor: FaceExtractor, clips: int, rounds: int) -> str:
    """One row of the table."""
    decoding, few, every = [], [], []
    num_frames = num_clips = 0
    for _ in range(rounds):
        num_frames, seconds = timed(lambda: decode(video))
        decoding.append(seconds)
        _, seconds = timed(lambda: extract(video, extractor, clips))
        few.append(seconds / decoding[-1])
        num_clips, seconds = timed(lambda: extract(video, extractor, None))
        every.append(seconds / decoding[-1])
    return (
        f"| {video.name} | {num_frames} | {statistics.median(decoding):.2f} "
        f"| {statistics.median(few):.2f} x | {statistics.median(every):.2f} x | {num_clips} "
        f"| {peak_megabytes():.0f} |"
    )


def decode(video: Path) -> int:
    """Reads every frame and converts none; their number."""
    with open_video(video) as reader:
        return sum(1 for _ in reader)


def extract(video: Path, extractor: FaceExtractor, clips: int | None) -> int:
    """Face clips one by one, none kept; their number."""
    with open_video(video) as reader:
        return sum(1 for _ in extractor.extract(reader, clips))


def timed(work: Callable[[], int]) -> tuple[int, float]:
    """What the work gives, and its CPU seconds."""
    started = time.process_time()
    result = work()
    return result, time.process_time() - started


if __name__ == "__main__":
    main()
