"""The scores of a validation, gathered from all processes, as losses and metrics.

N items, K classes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch.distributed

from deepfake_ssat.clips.dataset import FaceClipDataset
from deepfake_ssat.clips.images import ImageDataset
from deepfake_ssat.clips.mixture import JoinedClips
from deepfake_ssat.inference.verdict import scored_verdict
from deepfake_ssat.metrics import accuracy, auc
from deepfake_ssat.models.decision import AggregationPolicy, Decision
from deepfake_ssat.records import Box, ClipScore, mean_box
from deepfake_ssat.training.decision import choose_decision
from deepfake_ssat.training.examples import ValidationSet
from deepfake_ssat.training.module import BatchScores

POLICY = AggregationPolicy()


@dataclass(frozen=True)
class ValidationResult:
    """What one validation found."""

    metrics: dict[str, float]
    """By column name; a metric that the data cannot give is absent."""
    rank: tuple[float, float]
    """The larger the better: the metric that chooses, then the lower loss among equals."""
    decision: Decision
    num_videos: int
    """Or pictures."""


def gather(batches: list[BatchScores]) -> list[BatchScores]:
    """The batches of all processes, the same list on each."""
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return batches
    shares: list[list[BatchScores]] = [[] for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather_object(shares, batches)
    return [batch for share in shares for batch in share]


def mean_losses(batches: Iterable[BatchScores]) -> dict[str, float]:
    """The means over all items."""
    sums: dict[str, float] = defaultdict(float)
    num_items = 0
    for batch in batches:
        num_items += len(batch.items)
        for name, value in batch.loss_sums.items():
            sums[name] += value
    return {f"val_{name}": value / num_items for name, value in sums.items()}


def measure(batches: list[BatchScores], examples: ValidationSet) -> ValidationResult:
    """Losses and metrics; the rank is by video AUC, accuracy of pictures, or, without classes, the loss."""
    losses = mean_losses(batches)
    probabilities = {
        item: row
        for batch in batches
        for item, row in zip(batch.items, batch.probabilities, strict=bool(batch.probabilities))
    }
    if not probabilities:
        return ValidationResult(losses, (-losses["val_loss"], 0.0), Decision(), len(examples.videos))
    items = sorted(probabilities)
    scores = np.array([probabilities[item] for item in items])
    labels = np.array([examples.labels[item] for item in items])
    if isinstance(examples, ImageDataset):
        return _of_images(losses, labels, scores)
    return _of_faces(losses, examples, items, labels, scores[:, 1])


def _of_images(losses: dict[str, float], labels: np.ndarray, scores: np.ndarray) -> ValidationResult:
    metrics = {"val_image_accuracy": float((scores.argmax(axis=1) == labels).mean())}
    decision = Decision()
    if scores.shape[1] == 2:
        area = auc(labels, scores[:, 1])
        metrics |= {} if area is None else {"val_image_auc": area}
        decision = choose_decision(labels, scores[:, 1])
    rank = (metrics["val_image_accuracy"], -losses["val_loss"])
    return ValidationResult(losses | metrics, rank, decision, len(labels))


def _of_faces(
    losses: dict[str, float],
    examples: FaceClipDataset | JoinedClips,
    items: list[int],
    labels: np.ndarray,
    probabilities: np.ndarray,
) -> ValidationResult:
    """Clips -> faces -> videos by the default policy, as ``evaluate`` does it."""
    clips: dict[int, list[ClipScore]] = defaultdict(list)
    boxes: dict[int, dict[int, list[Box]]] = defaultdict(lambda: defaultdict(list))
    video_labels: dict[int, int] = {}
    for item, label, probability in zip(items, labels, probabilities, strict=True):
        video = examples.item_videos[item]
        clips[video].append(ClipScore(examples.tracks[item], 0.0, 0.0, float(probability)))
        boxes[video][examples.tracks[item]].append(examples.boxes[item])
        video_labels[video] = int(label)
    video_scores = np.array([_of_video(scores, boxes[video]) for video, scores in clips.items()])
    truth = np.array([video_labels[video] for video in clips])
    found = {
        "val_clip_auc": auc(labels, probabilities),
        "val_video_auc": auc(truth, video_scores),
        "val_video_accuracy": accuracy(truth, video_scores),
    }
    metrics = losses | {name: value for name, value in found.items() if value is not None}
    rank = (metrics.get("val_video_auc", 0.0), -losses["val_loss"])
    return ValidationResult(metrics, rank, choose_decision(truth, video_scores), len(truth))


def _of_video(clips: list[ClipScore], boxes: Mapping[int, list[Box]]) -> float:
    """``boxes``: of each face's clips, by track."""
    means = {track: mean_box(own) for track, own in boxes.items()}
    probability = scored_verdict("", clips, means, POLICY, None).probability
    assert probability is not None
    return probability
