"""Temperature and Platt scaling, fitted on the scores of whole videos.

N clips, F faces, V videos.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import OptimizeResult, minimize
from scipy.special import expit

from deepfake_ssat.metrics.points import SMALLEST_PROBABILITY
from deepfake_ssat.records import FAKE, REAL

TEMPERATURES = (0.01, 1000.0)
"""A fit stays between them; at the upper end every probability is the same."""
BIASES = (-50.0, 50.0)
_STARTS = (0.3, 1.0, 3.0, 10.0)


@dataclass(frozen=True)
class Scaling:
    """sigmoid(logit / temperature + bias), clip by clip."""

    temperature: float = 1.0
    bias: float = 0.0


@dataclass(frozen=True)
class VideoLogits:
    """The logits of the videos' clips, ordered by video and, in it, by face."""

    labels: np.ndarray
    """(V,) 0 real, 1 fake."""
    logits: np.ndarray
    """(N,): fake minus real, before any scaling."""
    face_starts: np.ndarray
    """(F,): the first clip of each face."""
    video_starts: np.ndarray
    """(V,): the first face of each video."""
    clip_rule: str = "mean"
    """How a face's clips are put together: mean, median or max, as ``detect`` does it."""
    face_rule: str = "max"
    """How a video's faces, only those that count, are put together: large and max, or mean."""

    def probabilities(self, scaling: Scaling) -> np.ndarray:
        """(V,): of fake."""
        clips = expit(self.logits / scaling.temperature + scaling.bias)
        faces = _SEGMENT_RULES[self.clip_rule](clips, self.face_starts)
        return _SEGMENT_RULES[self.face_rule](faces, self.video_starts)

    def part(self, videos: np.ndarray) -> VideoLogits:
        """Some of them alone, by their indices (in ascending order)."""
        face_video = np.repeat(
            np.arange(len(self.labels)), np.diff(self.video_starts, append=len(self.face_starts))
        )
        clip_face = np.repeat(
            np.arange(len(self.face_starts)), np.diff(self.face_starts, append=len(self.logits))
        )
        faces = np.flatnonzero(np.isin(face_video, videos))
        clips = np.flatnonzero(np.isin(clip_face, faces))
        return replace(
            self,
            labels=self.labels[videos],
            logits=self.logits[clips],
            face_starts=_starts(clip_face[clips]),
            video_starts=_starts(face_video[faces]),
        )


def _starts(owners: np.ndarray) -> np.ndarray:
    """Where each owner of neighbouring values begins."""
    return np.flatnonzero(np.diff(owners, prepend=-1))


def _mean(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(N,) -> (S,): of each segment, which goes from its start to the next one's."""
    return np.add.reduceat(values, starts) / np.diff(starts, append=len(values))


def _median(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(N,) -> (S,)."""
    lengths = np.diff(starts, append=len(values))
    ordered = values[np.lexsort((values, np.repeat(np.arange(len(starts)), lengths)))]
    return (ordered[starts + (lengths - 1) // 2] + ordered[starts + lengths // 2]) / 2


_SEGMENT_RULES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "mean": _mean,
    "median": _median,
    "max": np.maximum.reduceat,
    "large": np.maximum.reduceat,
}


def fit_temperature(videos: VideoLogits) -> Scaling:
    """The temperature of the lowest ``scaling_loss``; the bias stays 0."""
    return _fit(videos, lambda values: Scaling(float(np.exp(values[0]))), 1)


def fit_platt(videos: VideoLogits) -> Scaling:
    """Temperature and bias of the lowest ``scaling_loss`` (Platt 1999)."""
    return _fit(videos, lambda values: Scaling(float(np.exp(values[0])), float(values[1])), 2)


METHODS: dict[str, Callable[[VideoLogits], Scaling]] = {"temperature": fit_temperature, "platt": fit_platt}


def scaling_loss(videos: VideoLogits, scaling: Scaling) -> float:
    """Cross-entropy of the videos' probabilities, both classes weighted alike whatever their numbers.

    The targets are Platt's, (n + 1) / (n + 2) of a class of n: few videos that lie apart would otherwise ask
    for a temperature of zero.
    """
    probabilities = np.clip(videos.probabilities(scaling), SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    losses = []
    for label in (REAL, FAKE):
        of_class = probabilities[videos.labels == label]
        right = of_class if label == FAKE else 1 - of_class
        sure = (len(of_class) + 1) / (len(of_class) + 2)
        losses.append(-np.mean(sure * np.log(right) + (1 - sure) * np.log(1 - right)))
    return float(np.mean(losses))


def _fit(videos: VideoLogits, scaling: Callable[[np.ndarray], Scaling], num_values: int) -> Scaling:
    """By Nelder-Mead, as the highest face is not smooth; from several starts, as means are not convex."""
    bounds = [tuple(np.log(TEMPERATURES)), BIASES][:num_values]
    found: list[OptimizeResult] = [
        minimize(
            lambda values: scaling_loss(videos, scaling(values)),
            [np.log(start), 0.0][:num_values],
            method="Nelder-Mead",
            bounds=bounds,
            options={"xatol": 1e-7, "fatol": 1e-12, "maxiter": 2000},
        )
        for start in _STARTS
    ]
    return scaling(min(found, key=lambda result: result.fun).x)
