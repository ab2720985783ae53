"""Which videos are measured together, and every metric of each such group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from deepfake_ssat import metrics
from deepfake_ssat.records import FAKE, REAL, Estimate, EvalGroup, EvaluatedVideo

LOW_RATE, HIGH_RATE = 0.01, 0.05
Metric = Callable[..., float | None]


def measure_groups(videos: Sequence[EvaluatedVideo], threshold: float | None, seed: int) -> list[EvalGroup]:
    """Metrics of all labelled videos, of each corpus and compression, and of each manipulation in it.

    A manipulation's fakes stand against all genuine videos of the same corpus and compression. A part that is
    the whole is not repeated.
    """
    labelled = [video for video in videos if video.label is not None]
    names = [("", "", "")]
    cells = sorted({(video.corpus, video.compression) for video in labelled})
    for cell in cells:
        if len(cells) > 1:
            names.append((*cell, ""))
        fakes = [video for video in group_members(labelled, *cell, "") if video.label == FAKE]
        names += [(*cell, manipulation) for manipulation in sorted({video.manipulation for video in fakes})]
    return [_measure(name, group_members(labelled, *name), threshold, seed) for name in names]


def group_members(
    videos: Sequence[EvaluatedVideo], corpus: str, compression: str, manipulation: str
) -> list[EvaluatedVideo]:
    """The labelled videos of a group: empty names take everything, manipulations filter the fakes only."""
    everything = not (corpus or compression or manipulation)
    return [
        video
        for video in videos
        if video.label is not None
        and (everything or (video.corpus, video.compression) == (corpus, compression))
        and (video.label == REAL or manipulation in ("", video.manipulation))
    ]


def _measure(
    name: tuple[str, str, str], videos: Sequence[EvaluatedVideo], threshold: float | None, seed: int
) -> EvalGroup:
    corpus, compression, manipulation = name
    labels = np.array([video.label for video in videos], dtype=int)
    return EvalGroup(
        corpus=corpus,
        compression=compression,
        manipulation=manipulation,
        num_real=int(np.sum(labels == REAL)),
        num_fake=int(np.sum(labels == FAKE)),
        num_clips=sum(len(video.clips) for video in videos),
        video=video_estimates(labels, np.array([video.probability for video in videos]), threshold, seed),
        clip={"auc": _clip_auc(videos, seed)},
    )


def video_estimates(
    labels: np.ndarray, probabilities: np.ndarray, threshold: float | None, seed: int
) -> dict[str, Estimate]:
    """Every metric over videos (N,), by the name that it has in report.json."""
    ranking: dict[str, tuple[Metric, metrics.Weighted]] = {
        "auc": (metrics.auc, metrics.weighted_auc),
        "average_precision": (metrics.average_precision, metrics.weighted_average_precision),
        "equal_error_rate": (metrics.equal_error_rate, metrics.weighted_equal_error_rate),
        "log_loss": (metrics.log_loss, metrics.weighted_log_loss),
    }
    found = {
        name: _bootstrapped(metric, weighted, labels, probabilities, seed)
        for name, (metric, weighted) in ranking.items()
    }
    for name, rate in (("tpr_at_1_percent_fpr", LOW_RATE), ("tpr_at_5_percent_fpr", HIGH_RATE)):
        metric = partial(metrics.true_positive_rate_at, false_positive_rate=rate)
        weighted = partial(metrics.weighted_true_positive_rate, false_positive_rate=rate)
        found[name] = _bootstrapped(
            metric, weighted, labels, probabilities, seed, least_reals=round(1 / rate)
        )
    for name, cut in (("half", 0.5), ("threshold", threshold)):
        found[f"accuracy_at_{name}"] = _accuracy(labels, probabilities, cut)
        found[f"balanced_accuracy_at_{name}"] = _balanced_accuracy(labels, probabilities, cut, seed)
    error = metrics.calibration_error(labels, probabilities)
    too_few = f"needs {metrics.CALIBRATION_BINS} videos, has {len(labels)}"
    found["calibration_error"] = Estimate(error, note=too_few if error is None else "")
    return found


def _bootstrapped(
    metric: Metric,
    weighted: metrics.Weighted,
    labels: np.ndarray,
    probabilities: np.ndarray,
    seed: int,
    least_reals: int = 1,
    videos: np.ndarray | None = None,
) -> Estimate:
    value = metric(labels, probabilities)
    if value is None:
        return Estimate(None, note=_why_undefined(labels, least_reals))
    interval = metrics.bootstrap_interval(weighted, labels, probabilities, seed, videos)
    if interval is None:
        return Estimate(value, note=f"none with fewer than {metrics.SMALLEST_CLASS} real or fake videos")
    notes = []
    if interval.skipped:
        notes.append(f"{interval.skipped} of {metrics.RESAMPLES} resamples drew one class and were skipped")
    if interval.low == interval.high:
        notes.append("all resamples agree: too few videos to show the spread")
    return Estimate(value, interval.low, interval.high, "; ".join(notes))


def _why_undefined(labels: np.ndarray, least_reals: int) -> str:
    num_real, num_fake = int(np.sum(labels == REAL)), int(np.sum(labels == FAKE))
    if num_real and num_fake:
        return f"needs {least_reals} real videos, has {num_real}"
    return f"needs real and fake videos, has {num_real} real and {num_fake} fake"


def _accuracy(labels: np.ndarray, probabilities: np.ndarray, threshold: float | None) -> Estimate:
    if threshold is None or not len(labels):
        return _without_threshold(labels)
    value = metrics.accuracy(labels, probabilities, threshold)
    assert value is not None
    return Estimate(value, *metrics.wilson_interval(round(value * len(labels)), len(labels)))


def _balanced_accuracy(
    labels: np.ndarray, probabilities: np.ndarray, threshold: float | None, seed: int
) -> Estimate:
    if threshold is None or not len(labels):
        return _without_threshold(labels)
    metric = partial(metrics.balanced_accuracy, threshold=threshold)
    weighted = partial(metrics.weighted_balanced_accuracy, threshold=threshold)
    return _bootstrapped(metric, weighted, labels, probabilities, seed)


def _without_threshold(labels: np.ndarray) -> Estimate:
    return Estimate(None, note="there is no validation threshold" if len(labels) else "no labelled video")


def _clip_auc(videos: Sequence[EvaluatedVideo], seed: int) -> Estimate:
    """Each clip has its video's label; the interval resamples whole videos."""
    members = np.repeat(np.arange(len(videos)), np.array([len(video.clips) for video in videos], dtype=int))
    labels = np.array([video.label for video in videos], dtype=int)[members]
    probabilities = np.array([clip.probability for video in videos for clip in video.clips])
    return _bootstrapped(metrics.auc, metrics.weighted_auc, labels, probabilities, seed, videos=members)
