"""How large must a face be, and should a small one decide beside a larger? Measured on validation videos.

    python tools/measure_small_faces.py OUT --manifests data/ffpp data/genuine

Of each validation video in the manifests of ``preprocess`` one clip is judged with its face at several sizes:
shrunk by averaging areas, compressed at that size (H.264, CRF 23), enlarged again as ``detect`` would. Then
every two videos of different people stand for one video of two: a face with all its clips, and beside it the
other one small, on one clip; how often is this called fake when the highest face decides, and when the small
one does not count? OUT keeps the scores, and a killed run goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from rich.console import Console

from deepfake_ssat.clips.resize import resize_clip
from deepfake_ssat.commands.progress import console_progress
from deepfake_ssat.config import Selection
from deepfake_ssat.evaluation.clip_scores import CLIP_SCORES_FILE, ClipScoreFile
from deepfake_ssat.evaluation.evaluation import Evaluation
from deepfake_ssat.evaluation.stored_clips import StoredClip
from deepfake_ssat.inference.detector import load_detector
from deepfake_ssat.manifest import load_manifest, select
from deepfake_ssat.metrics import auc, bootstrap_interval, weighted_auc
from deepfake_ssat.models.decision import Decision
from deepfake_ssat.records import FAKE, REAL, EvaluatedVideo, Verdict
from deepfake_ssat.video.perturbation.h264 import reencode

CRF = 23.0
"""FFmpeg's default, and FaceForensics++'s c23."""
FPS = 25.0
SELECTION = Selection(splits=("val",), compressions=("c23", ""))


def main() -> None:
    """Parses, scores, prints two tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--manifests", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--checkpoint", type=Path, help="default: the package's weights")
    parser.add_argument("--sizes", type=int, nargs="+", default=[112, 80, 64, 51, 40], metavar="PX")
    parser.add_argument("--beside", type=int, default=51, metavar="PX", help="size of the second face")
    options = parser.parse_args()
    detector = load_detector(options.checkpoint)
    whole: list[EvaluatedVideo] = []
    small: dict[int, dict[str, float]] = {size: {} for size in (*options.sizes, options.beside)}
    for number, folder in enumerate(options.manifests):
        manifest = load_manifest(folder)
        rows = [row for row in select(manifest.rows, SELECTION) if row.num_frames > 1]
        scores, policy = options.out / str(number), detector.checkpoint.decision.aggregation
        own = Evaluation(detector, manifest, scores, policy, 4, progress=console_progress(Console()))
        whole += own.score(rows)[0]
        first = {clip.row.video_id: clip for clip in reversed(own.plan(rows))}
        for size, found in small.items():
            found |= scored_small(own, list(first.values()), size, scores / f"{size}px_{CLIP_SCORES_FILE}")
    decision = detector.checkpoint.decision
    print_sizes(whole, {size: small[size] for size in options.sizes}, decision)
    print_pairs(whole, small[options.beside], options.beside, decision)


def scored_small(
    evaluation: Evaluation, clips: Sequence[StoredClip], size: int, file: Path
) -> dict[str, float]:
    """The probability of each video's clip with a face of so many pixels, by ``corpus/video_id``."""
    # A stored picture shows the face with its margin; the encoder wants even sides.
    side = 2 * round(size * (1 + evaluation.manifest.contract.margin) / 2)
    with ClipScoreFile(file, evaluation.run_key) as scores:
        missing = [clip for clip in clips if clip not in scores]
        with evaluation.progress(f"faces of {size} px", "clip", len(missing)) as advance:
            evaluation.score_into(scores, missing, advance, partial(shrunk, side))
        return {f"{clip.row.corpus}/{clip.row.video_id}": scores[clip] for clip in clips}


def shrunk(side: int, _: StoredClip, pixels: np.ndarray) -> np.ndarray:
    """(T, H, W, C) uint8 -> the same, with no more detail than a picture of ``side`` pixels has."""
    stored = pixels.shape[1]
    small = np.stack(list(reencode(resize_clip(pixels, side), CRF, FPS)))
    return resize_clip(small, stored)


def print_sizes(
    whole: Sequence[EvaluatedVideo], small: Mapping[int, Mapping[str, float]], decision: Decision
) -> None:
    """A line a size: how well the classes are told apart, and what would be claimed of each."""
    labels = np.array([video.label for video in whole])
    print(f"{(labels == REAL).sum()} genuine and {(labels == FAKE).sum()} manipulated validation videos")
    print("| face | video AUC | genuine called fake | manipulated called real |\n|---|---|---|---|")
    by_name = {"as it is, all clips": [video.probability for video in whole]}
    by_name["as it is, one clip"] = [video.clips[0].probability for video in whole]
    by_name |= {f"{size} px, one clip": [of[video.name] for video in whole] for size, of in small.items()}
    for name, probabilities in by_name.items():
        scores = np.array(probabilities)
        interval = bootstrap_interval(weighted_auc, labels, scores, seed=0)
        between = f" [{interval.low:.2f}, {interval.high:.2f}]" if interval else ""
        alarms = (scores[labels == REAL] >= decision.uncertain_high).sum()
        misses = (scores[labels == FAKE] < decision.uncertain_low).sum()
        print(f"| {name} | {auc(labels, scores):.2f}{between} | {alarms} | {misses} |")


def print_pairs(
    whole: Sequence[EvaluatedVideo], small: Mapping[str, float], size: int, decision: Decision
) -> None:
    """What is said of two people's faces, by the highest face and by the larger one."""
    print(f"\nA second face of {size} px beside the first (shares of the pairs called fake, uncertain, real)")
    print("| first | second | pairs | the highest decides | the larger decides |\n|---|---|---|---|---|")
    words = {REAL: "genuine", FAKE: "manipulated"}
    for first, second in ((REAL, REAL), (FAKE, REAL), (REAL, FAKE)):
        pairs = [
            (large.probability, small[other.name])
            for large, other in product(whole, whole)
            if (large.label, other.label) == (first, second) and not set(large.people) & set(other.people)
        ]
        said = [
            shares([decision.verdict(rule(pair)) for pair in pairs]) for rule in (max, lambda pair: pair[0])
        ]
        print(f"| {words[first]} | {words[second]} | {len(pairs)} | {said[0]} | {said[1]} |")


def shares(verdicts: Sequence[Verdict]) -> str:
    """Such as ``0.05, 0.26, 0.69``."""
    order = (Verdict.FAKE, Verdict.UNCERTAIN, Verdict.REAL)
    return ", ".join(f"{verdicts.count(verdict) / len(verdicts):.2f}" for verdict in order)


if __name__ == "__main__":
    main()
