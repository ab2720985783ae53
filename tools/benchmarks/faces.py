"""Compares our face detection with facenet-pytorch's as is: speed and recall on the same frames, in one run.

    python tools/benchmarks/faces.py VIDEO [VIDEO ...] [--frames 16] [--threads 1]

Both get full RGB frames of the video; ours are shrunk inside the measured time, and go in batches as in
extraction. facenet-pytorch keeps its defaults (``MTCNN(keep_all=True).detect``, frame by frame). Prints a
Markdown table with medians over interleaved batches of CPU time, and recall against facenet-pytorch's faces
of confidence 0.9 and more at an overlap of 0.5; ``large`` faces have 60 pixels and more. Use the ratios, and
a quiet machine. Each large face that we miss is listed, since some of facenet-pytorch's are none.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import torch
from facenet_pytorch import MTCNN

from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.faces.mtcnn import FaceDetector
from deepfake_ssat.video import open_video

BATCH = 8
LARGE_FACE = 60.0
MIN_CONFIDENCE, MIN_OVERLAP = 0.9, 0.5

Result = TypeVar("Result")


@dataclass(frozen=True)
class Hit:
    """A face that facenet-pytorch finds."""

    frame: int
    """Of those measured."""
    box: np.ndarray
    recalled: bool
    """Whether we find it, too."""

    @property
    def large(self) -> bool:
        """Whether its longer side has at least 60 pixels."""
        return max(self.box[2:] - self.box[:2]) >= LARGE_FACE


@dataclass(frozen=True)
class Comparison:
    """One video's measurement."""

    name: str
    size: tuple[int, int]
    """(width, height)."""
    facenet_ms: float
    """CPU time per frame."""
    our_ms: float
    ratio: float
    """Median over the batches of facenet's time to ours."""
    hits: list[Hit]


def main() -> None:
    """Parses, measures each video, prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--frames", type=int, default=16, help="per video, evenly spread")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of torch and OpenCV")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    print("| video | size | facenet ms | ours ms | ratio | recall, large | recall, all |")
    print("|---|---|---|---|---|---|---|")
    comparisons = [report(compare(video, options.frames)) for video in options.videos]
    ratio = statistics.median(comparison.ratio for comparison in comparisons)
    hits = [hit for comparison in comparisons for hit in comparison.hits]
    large = recall([hit for hit in hits if hit.large])
    print(f"| **all** | | | | {ratio:.1f} (target 10) | {large} (target 1) | {recall(hits)} |")
    for comparison in comparisons:
        for hit in comparison.hits:
            if hit.large and not hit.recalled:
                print(f"missed in {comparison.name}, measured frame {hit.frame}: {hit.box.round().tolist()}")


def report(comparison: Comparison) -> Comparison:
    """Prints one row of the table."""
    width, height = comparison.size
    large = recall([hit for hit in comparison.hits if hit.large])
    print(
        f"| {comparison.name} | {width}x{height} | {comparison.facenet_ms:.1f} | {comparison.our_ms:.1f} "
        f"| {comparison.ratio:.1f} | {large} | {recall(comparison.hits)} |",
        flush=True,
    )
    return comparison


def compare(video: Path, num_frames: int) -> Comparison:
    """Both detectors on ``num_frames`` frames of a video, batch by batch in turn."""
    settings = ExtractionSettings()  # pyright: ignore[reportCallIssue]
    frames = read_spread(video, num_frames)
    height, width = frames[0].shape[:2]
    scale = min(1.0, settings.detection_side / max(height, width))
    facenet, ours = MTCNN(keep_all=True).eval(), FaceDetector(settings.min_face_size * scale)
    detect_as_is(facenet, frames[:1])
    detect_shrunk(ours, frames[:1], scale)
    theirs_ms, ours_ms, hits = [], [], []
    for start in range(0, len(frames), BATCH):
        batch = frames[start : start + BATCH]
        references, elapsed = timed(lambda batch=batch: detect_as_is(facenet, batch))
        theirs_ms.append(elapsed / len(batch))
        found, elapsed = timed(lambda batch=batch: detect_shrunk(ours, batch, scale))
        ours_ms.append(elapsed / len(batch))
        for offset, (boxes, candidates) in enumerate(zip(references, found, strict=True)):
            hits += [Hit(start + offset, box, recalls(candidates, box)) for box in boxes]
    return Comparison(
        name=video.name,
        size=(width, height),
        facenet_ms=statistics.median(theirs_ms),
        our_ms=statistics.median(ours_ms),
        ratio=statistics.median(theirs / mine for theirs, mine in zip(theirs_ms, ours_ms, strict=True)),
        hits=hits,
    )


def detect_as_is(facenet: MTCNN, frames: list[np.ndarray]) -> list[list[np.ndarray]]:
    """Frames (H, W, 3) -> boxes (4,) of facenet-pytorch's own path, frame by frame."""
    found = []
    for frame in frames:
        boxes, confidences = facenet.detect(frame)[:2]
        pairs = [] if boxes is None else zip(boxes, confidences, strict=True)
        found.append([np.array(box, float) for box, confidence in pairs if confidence >= MIN_CONFIDENCE])
    return found


def detect_shrunk(detector: FaceDetector, frames: list[np.ndarray], scale: float) -> list[list[np.ndarray]]:
    """Frames (H, W, 3) -> boxes (4,) in their pixels, found in shrunk copies."""
    if scale < 1:
        size = (round(frames[0].shape[1] * scale), round(frames[0].shape[0] * scale))
        frames = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames]
    return [
        [np.array(face.box) / scale for face in faces if face.confidence >= MIN_CONFIDENCE]
        for faces in detector.detect(frames)
    ]


def read_spread(video: Path, count: int) -> list[np.ndarray]:
    """``count`` RGB frames evenly spread over the video, fewer if it has fewer."""
    with open_video(video) as reader:
        total = reader.metadata.num_frames or 1
        wanted = {round((part + 0.5) * total / count) for part in range(count)}
        return [frame.rgb() for frame in reader if frame.index in wanted]


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """What the work gives, and its CPU milliseconds."""
    started = time.process_time()
    result = work()
    return result, 1000 * (time.process_time() - started)


def recalls(candidates: list[np.ndarray], box: np.ndarray) -> bool:
    """Whether one of the candidate boxes (4,) overlaps the box (4,) by at least half of their union."""
    for candidate in candidates:
        low, high = np.maximum(box[:2], candidate[:2]), np.minimum(box[2:], candidate[2:])
        common = np.clip(high - low, 0, None).prod()
        union = np.prod(box[2:] - box[:2]) + np.prod(candidate[2:] - candidate[:2]) - common
        if common >= MIN_OVERLAP * union:
            return True
    return False


def recall(hits: list[Hit]) -> str:
    """Such as ``1.000 of 16``."""
    return f"{np.mean([hit.recalled for hit in hits]):.3f} of {len(hits)}" if hits else "none there"


if __name__ == "__main__":
    main()
