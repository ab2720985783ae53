"""Times one clip's score by torch and by OpenVINO, interleaved, and says how far apart the scores are.

    python tools/benchmarks/backends.py [--size 112 224] [--preset small] [--rounds 15] [--threads N]

The nets have random weights on 16 frames: time does not depend on what they learnt. Times are medians; use
the ratios, and a quiet machine. Making OpenVINO's form of a net takes seconds and is not part of a time.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from deepfake_ssat.config import EncoderSettings, ExtractionSettings, ModelSettings
from deepfake_ssat.inference.backends import BACKENDS
from deepfake_ssat.inference.detector import load_detector
from deepfake_ssat.models.checkpoint import Checkpoint, save_checkpoint
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.models.self_test import noise_pixels


def main() -> None:
    """Parses, measures, prints one line a size and backend."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, nargs="+", default=[112, 224], help="sides of the face crop")
    parser.add_argument("--preset", default="small", help="tiny, small, base or large")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, help="CPU threads")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        for size in options.size:
            measure(write_random_checkpoint(Path(folder), options.preset, size), size, options.rounds)


def measure(checkpoint: Path, size: int, rounds: int) -> None:
    """The first backend is the measure of the others."""
    detectors = {name: load_detector(checkpoint, "cpu", backend=name) for name in BACKENDS}
    settings = detectors["torch"].checkpoint.settings
    pixels = noise_pixels(1, (1, settings.frames, size, size, settings.channels))
    scores = {name: detector.score(pixels) for name, detector in detectors.items()}
    times: dict[str, list[float]] = {name: [] for name in detectors}
    for _ in range(rounds):
        for name, detector in detectors.items():
            started = time.perf_counter()
            detector.score(pixels)
            times[name].append(time.perf_counter() - started)
    tokens = f", {settings.num_tokens} tokens" if isinstance(settings, ModelSettings) else ""
    geometry = f"{settings.frames} x {size} x {size}{tokens}"
    print(f"{geometry}, {torch.get_num_threads()} threads")
    reference = statistics.median(times["torch"])
    for name, detector in detectors.items():
        median, best = statistics.median(times[name]), min(times[name])
        apart = np.abs(scores[name] - scores["torch"]).max()
        print(
            f"  {name:<9} {detector.precision} {1e3 * median:7.0f} ms a clip (best {1e3 * best:.0f})"
            f"  {reference / median:5.2f} x torch's speed, scores {apart:.4f} apart"
        )


def write_random_checkpoint(folder: Path, preset: str, size: int) -> Path:
    """The paper's video geometry with another size of the crop."""
    torch.manual_seed(0)
    settings = ModelSettings(  # pyright: ignore[reportCallIssue]
        image_size=size,
        encoder=EncoderSettings(preset=preset),  # pyright: ignore
    )
    path = folder / f"{preset}_{size}.safetensors"
    contract = ExtractionSettings()  # pyright: ignore[reportCallIssue]
    save_checkpoint(path, Checkpoint(MaskedAutoencoder(settings), settings, contract))
    return path


if __name__ == "__main__":
    main()
