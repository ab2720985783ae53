"""Pictures of an evaluation: ROC curves, scores by class, reliability; colours of Okabe and Ito.

Each says at what level (video) and on how many videos. Line styles and hatches tell apart what colours do.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from deepfake_ssat import metrics
from deepfake_ssat.evaluation.groups import group_members
from deepfake_ssat.records import FAKE, REAL, EvalReport, EvaluatedVideo
from deepfake_ssat.reporting.evaluation.table import namer, names_of_all

BLACK, BLUE, ORANGE, VERMILION = "#000000", "#0072B2", "#E69F00", "#D55E00"
CURVE_COLOURS = (BLUE, ORANGE, "#009E73", "#CC79A7", "#56B4E9", VERMILION, "#999999")
CURVE_STYLES = ("-", "--", "-.", ":")
FIGURES = ("roc.png", "scores.png", "reliability.png")
SCORE_BINS = 20
MOST_CURVES = 12


def figures(report: EvalReport) -> dict[str, bytes]:
    """PNG files by name; those that need both classes are left out without them."""
    labelled = [video for video in report.videos if video.label is not None]
    if not labelled:
        return {}
    drawn = {"scores.png": _scores(report, labelled), "reliability.png": _reliability(report, labelled)}
    if len({video.label for video in labelled}) == 2:
        drawn["roc.png"] = _roc(report, labelled)
    return drawn


def _roc(report: EvalReport, videos: Sequence[EvaluatedVideo]) -> bytes:
    """All videos in black, and each smaller group with its AUC."""
    figure, axes = _canvas(report, videos, "ROC", 6.4, 6.2)
    axes.plot([0, 1], [0, 1], color="#BBBBBB", linewidth=1, label="chance")
    name = namer(report)
    shown = [group for group in report.groups if group.num_real and group.num_fake][: 1 + MOST_CURVES]
    for number, group in reversed(list(enumerate(shown))):
        members = group_members(videos, group.corpus, group.compression, group.manipulation)
        curve = metrics.roc_points(_labels(members), _probabilities(members))
        value = group.video["auc"].value
        if curve is None or value is None:
            continue
        axes.plot(
            curve[0],
            curve[1],
            color=BLACK if number == 0 else CURVE_COLOURS[(number - 1) % len(CURVE_COLOURS)],
            linestyle="-" if number == 0 else CURVE_STYLES[number % len(CURVE_STYLES)],
            linewidth=2.2 if number == 0 else 1.6,
            label=f"{name(group)}: {100 * value:.1f} % ({group.num_real} real, {group.num_fake} fake)",
        )
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.set(xlabel="real videos called fake", ylabel="fake videos called fake")
    handles, names = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1], names[::-1], loc="lower right", fontsize=8, title="video AUC", title_fontsize=8
    )
    return _png(figure)


def _scores(report: EvalReport, videos: Sequence[EvaluatedVideo]) -> bytes:
    """How many videos of each class got which probability, with the two thresholds."""
    figure, axes = _canvas(report, videos, "Scores", 6.8, 4.6)
    edges = np.linspace(0, 1, SCORE_BINS + 1).tolist()
    reals, fakes = (
        _probabilities([video for video in videos if video.label == label]) for label in (REAL, FAKE)
    )
    axes.hist(reals, edges, color=BLUE, alpha=0.5, label=f"real ({len(reals)})")
    # An outline: the bars behind it stay in sight.
    axes.hist(
        fakes,
        edges,
        histtype="step",
        color=VERMILION,
        hatch="///",
        linewidth=1.6,
        label=f"fake ({len(fakes)})",
    )
    axes.axvline(0.5, color=BLACK, linestyle=":", linewidth=1.2, label="0.5")
    if report.threshold is not None:
        label = f"validation threshold {report.threshold:.3f}"
        axes.axvline(report.threshold, color=BLACK, linestyle="--", linewidth=1.2, label=label)
    axes.set(xlim=(0, 1), xlabel="probability of fake, by video", ylabel="videos")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize=8)
    return _png(figure)


def _reliability(report: EvalReport, videos: Sequence[EvaluatedVideo]) -> bytes:
    """The part of fakes against the probability, with the number of videos at each point."""
    figure, axes = _canvas(report, videos, "Reliability", 6.0, 6.0)
    axes.plot([0, 1], [0, 1], color="#BBBBBB", linewidth=1, label="calibrated")
    bins = metrics.reliability_bins(_labels(videos), _probabilities(videos))
    predicted, observed, numbers = (np.array(column) for column in zip(*bins, strict=True))
    intervals = [
        metrics.wilson_interval(round(part * number), int(number))
        for part, number in zip(observed, numbers, strict=True)
    ]
    bars = np.abs(np.array(intervals).T - observed)
    label = "videos (their number), 95 % interval"
    axes.errorbar(predicted, observed, bars, fmt="o", color=BLUE, capsize=2, markersize=5, label=label)
    for x, y, number in zip(predicted, observed, numbers, strict=True):
        axes.annotate(f"{number}", (x, y), textcoords="offset points", xytext=(6, 5), fontsize=8)
    error = report.groups[0].video["calibration_error"].value
    if error is not None:
        axes.set_title(f"expected calibration error {100 * error:.1f} %", fontsize=9)
    axes.set(xlim=(-0.02, 1.05), ylim=(-0.02, 1.05), aspect="equal")
    axes.set(xlabel="mean probability of fake in the bin", ylabel="part of fakes in the bin")
    axes.legend(loc="upper left", fontsize=8)
    return _png(figure)


def _canvas(
    report: EvalReport, videos: Sequence[EvaluatedVideo], title: str, width: float, height: float
) -> tuple[Figure, Axes]:
    """A figure whose heading says what was judged, on how much, by which checkpoint."""
    labels = _labels(videos)
    checkpoint = report.provenance["checkpoint"]["sha256"][:8]
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(
        f"{title}: {np.sum(labels == REAL)} real and {np.sum(labels == FAKE)} fake videos\n"
        f"{names_of_all(report)}; checkpoint {checkpoint}",
        fontsize=10,
    )
    axes = figure.add_subplot()
    axes.grid(color="#E5E5E5", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _labels(videos: Sequence[EvaluatedVideo]) -> np.ndarray:
    return np.array([video.label for video in videos], dtype=int)


def _probabilities(videos: Sequence[EvaluatedVideo]) -> np.ndarray:
    return np.array([video.probability for video in videos], dtype=float)


def _png(figure: Figure) -> bytes:
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=120)
    return data.getvalue()
