"""Measures how well single pictures are judged, and keeps the numbers in a checkpoint for ``detect`` to tell.

    python tools/measure_stills.py best.safetensors --genuine DIR --manipulated DIR \
        --measured-on "frames of 73 validation videos" --store measured.safetensors
    python tools/measure_stills.py best.safetensors --crops data/dfdc_crops --measured-on "crops of DFDC"

Folders hold pictures, or videos, of which the frame in the middle is taken; none of them may have been
trained on. One picture of a video is enough: more of the same say little more. ``--crops`` is a folder that
``preprocess --crops`` wrote: its validation faces, and as many of the fakes that are aligned with them, are
judged as they are.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
from rich.progress import track

from deepfake_ssat.clips.storage import read_frames
from deepfake_ssat.corpora.files import VIDEO_SUFFIXES, has_suffix
from deepfake_ssat.corpora.splits import hashed_position
from deepfake_ssat.errors import ConfigError, VideoError
from deepfake_ssat.inference.default_weights import default_weights
from deepfake_ssat.inference.detector import Detector, load_detector
from deepfake_ssat.inference.still_error import KEY
from deepfake_ssat.manifest import Manifest, load_manifest
from deepfake_ssat.metrics import auc, bootstrap_interval, weighted_auc
from deepfake_ssat.models.checkpoint import load_checkpoint, save_checkpoint
from deepfake_ssat.records import FAKE, REAL, ManifestRow, Status, Verdict, VideoVerdict
from deepfake_ssat.video import open_video


def main() -> None:
    """Parses, measures, prints one line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path, nargs="?", help="default: the package's weights")
    parser.add_argument("--genuine", type=Path, nargs="+", default=[], help="files or folders")
    parser.add_argument("--manipulated", type=Path, nargs="+", default=[], help="files or folders")
    parser.add_argument("--crops", type=Path, metavar="DIR", help="in place of both")
    parser.add_argument("--measured-on", required=True, help="such as: frames of 73 validation videos")
    parser.add_argument("--store", type=Path, help="a copy of the checkpoint that holds the numbers")
    options = parser.parse_args()
    if options.crops is None and not (options.genuine and options.manipulated):
        parser.error("give --genuine and --manipulated, or --crops")
    path = options.checkpoint or default_weights()
    detector = load_detector(path)
    if options.crops is not None:
        genuine, manipulated = judged_crops(detector, load_manifest(options.crops))
    else:
        genuine, manipulated = judged_files(detector, options.genuine, options.manipulated)
    measured = {"measured_on": options.measured_on, **figures(genuine, manipulated)}
    print(json.dumps(measured))
    if options.store is not None:
        checkpoint = load_checkpoint(path)
        metrics = {**checkpoint.metrics, KEY: measured}
        save_checkpoint(options.store, replace(checkpoint, metrics=metrics))


def judged_files(
    detector: Detector, genuine: Sequence[Path], manipulated: Sequence[Path]
) -> tuple[list[VideoVerdict], list[VideoVerdict]]:
    """The verdicts of genuine and of manipulated pictures."""
    with tempfile.TemporaryDirectory() as folder:
        real, fake = (
            judged(detector, files_in(given), Path(folder, str(label)))
            for label, given in ((REAL, genuine), (FAKE, manipulated))
        )
    return real, fake


def judged_crops(detector: Detector, manifest: Manifest) -> tuple[list[VideoVerdict], list[VideoVerdict]]:
    """The same of face crops that no training saw: one of each genuine video, and as many of their fakes."""
    rows = [row for row in manifest.rows if row.split == "val"]
    genuine = [row for row in rows if row.label == REAL]
    fakes = sorted((row for row in rows if row.is_aligned), key=lambda row: hashed_position(row.video_id))
    decision = detector.checkpoint.decision

    def judged_crop(row: ManifestRow) -> VideoVerdict:
        pixels = read_frames(manifest.root / row.clip_file, range(1))
        probability = float(detector.score_pictures(pixels)[0])
        return VideoVerdict(row.source, Status.SCORED, probability, decision.verdict(probability))

    real, fake = (
        [judged_crop(row) for row in track(part, "judging")] for part in (genuine, fakes[: len(genuine)])
    )
    return real, fake


def files_in(given: Sequence[Path]) -> list[Path]:
    """The files as given, and those of folders at any depth, by name."""
    return [file for path in given for file in (sorted(path.rglob("*.*")) if path.is_dir() else [path])]


def judged(detector: Detector, files: Sequence[Path], folder: Path) -> list[VideoVerdict]:
    """The verdicts of those pictures that show a face."""
    folder.mkdir()
    pictures = track(_pictures(files, folder), "judging", total=len(files))
    verdicts = [detector.detect(picture) for picture in pictures]
    return [verdict for verdict in verdicts if verdict.probability is not None]


def _pictures(files: Sequence[Path], folder: Path) -> Iterator[Path]:
    for number, file in enumerate(files):
        if not has_suffix(file.name, VIDEO_SUFFIXES):
            yield file
            continue
        try:
            with open_video(file) as video:
                middle = (video.metadata.num_frames or 1) // 2
                pixels = next(frame for frame in video if frame.index >= middle).rgb()
        except (VideoError, StopIteration):
            continue
        picture = folder / f"{number}.png"
        cv2.imwrite(str(picture), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        yield picture
        picture.unlink()


def figures(genuine: Sequence[VideoVerdict], manipulated: Sequence[VideoVerdict]) -> dict[str, float | int]:
    """AUC with its interval, and how often a claim was wrong."""
    labels = [REAL] * len(genuine) + [FAKE] * len(manipulated)
    scores = [verdict.probability for verdict in (*genuine, *manipulated) if verdict.probability is not None]
    value = auc(labels, scores)
    interval = bootstrap_interval(weighted_auc, labels, scores, seed=0)
    if value is None or interval is None:
        raise ConfigError(f"{len(genuine)} genuine and {len(manipulated)} manipulated faces are too few")
    return {
        "auc": round(value, 4),
        "low": round(interval.low, 4),
        "high": round(interval.high, 4),
        "genuine": len(genuine),
        "genuine_called_fake": sum(verdict.verdict is Verdict.FAKE for verdict in genuine),
        "manipulated": len(manipulated),
        "manipulated_called_real": sum(verdict.verdict is Verdict.REAL for verdict in manipulated),
    }


if __name__ == "__main__":
    main()
