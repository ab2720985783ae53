"""Reliability before and after, and the verdicts' limits over the scores; colours of Okabe and Ito."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from deepfake_ssat import metrics
from deepfake_ssat.calibration.report import CalibrationReport, quality
from deepfake_ssat.records import FAKE, REAL

BLACK, BLUE, VERMILION, GREY = "#000000", "#0072B2", "#D55E00", "#BBBBBB"
SCORE_BINS = 20


def reliability_figure(report: CalibrationReport) -> bytes:
    """A PNG: two reliability diagrams above, the calibrated scores of both classes below."""
    figure = Figure(figsize=(9.6, 8.4), layout="constrained")
    labels = report.labels
    figure.suptitle(
        f"Calibration ({report.calibration.method}) on {np.sum(labels == REAL)} genuine and "
        f"{np.sum(labels == FAKE)} manipulated videos, both classes weighted alike\n"
        f"checkpoint {report.provenance['checkpoint']['sha256'][:8]}",
        fontsize=10,
    )
    grid = figure.add_gridspec(2, 2, height_ratios=(1.6, 1.0))
    for place, (name, decision, probabilities) in enumerate(
        (
            ("before", report.before, report.probabilities_before),
            ("after", report.after, report.probabilities_after),
        )
    ):
        axes = figure.add_subplot(grid[0, place])
        _reliability(axes, labels, probabilities)
        found = quality(labels, probabilities)
        error = "–" if found.calibration_error is None else f"{100 * found.calibration_error:.1f} %"
        axes.set_title(
            f"{name}: temperature {decision.temperature:.3g}, bias {decision.bias:.3g}\n"
            f"ECE {error}, Brier score {found.brier:.3f}",
            fontsize=9,
        )
    _scores(figure.add_subplot(grid[1, :]), report)
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=120)
    return data.getvalue()


def _reliability(axes: Axes, labels: np.ndarray, probabilities: np.ndarray) -> None:
    """The part of fakes against the probability, with the videos of each bin as real + fake."""
    bins = metrics.balanced_bins(labels, probabilities)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, label="calibrated")
    observed = np.array([bin_.observed for bin_ in bins])
    limits = np.array([[bin_.low for bin_ in bins], [bin_.high for bin_ in bins]])
    axes.errorbar(
        [bin_.predicted for bin_ in bins],
        observed,
        np.abs(limits - observed),
        fmt="o",
        color=BLUE,
        capsize=2,
        markersize=5,
        label="videos (genuine + manipulated), 95 % interval",
    )
    for bin_ in bins:
        # Points near the right edge carry their numbers on the left.
        right = bin_.predicted < 0.8
        axes.annotate(
            f"{bin_.num_real}+{bin_.num_fake}",
            (bin_.predicted, bin_.observed),
            textcoords="offset points",
            xytext=(6, 5) if right else (-6, 5),
            ha="left" if right else "right",
            fontsize=7,
        )
    axes.grid(color="#E5E5E5", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.05), aspect="equal")
    axes.set(xlabel="mean probability of fake in the bin", ylabel="part of fakes in the bin")
    axes.legend(loc="upper left", fontsize=7)


def _scores(axes: Axes, report: CalibrationReport) -> None:
    """How many videos of each class got which calibrated probability, with the uncertain band shaded."""
    edges = np.linspace(0, 1, SCORE_BINS + 1).tolist()
    reals, fakes = (report.probabilities_after[report.labels == label] for label in (REAL, FAKE))
    axes.hist(reals, edges, color=BLUE, alpha=0.5, label=f"genuine ({len(reals)})")
    style = {"histtype": "step", "color": VERMILION, "hatch": "///", "linewidth": 1.6}
    axes.hist(fakes, edges, label=f"manipulated ({len(fakes)})", **style)
    low, high = report.after.uncertain_low, report.after.uncertain_high
    if low < high:
        axes.axvspan(low, high, color="#888888", alpha=0.25, linewidth=0, label="uncertain")
    axes.axvline(low, color=BLACK, linestyle=":", linewidth=1.2, label=f"real below {low:.3f}")
    axes.axvline(high, color=BLACK, linestyle="--", linewidth=1.2, label=f"fake from {high:.3f}")
    axes.set(xlim=(0, 1), xlabel="calibrated probability of fake, by video", ylabel="videos")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize=7)
