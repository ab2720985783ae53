"""Pictures of an evaluation: ROC curves, scores by class, reliability; each says on how many videos."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deepfake_ssat.evaluation.curves import reliability, roc_curves
from deepfake_ssat.records import FAKE, REAL, EvalReport
from deepfake_ssat.reporting import style
from deepfake_ssat.reporting.charts import draw_reliability, draw_scores
from deepfake_ssat.reporting.group_names import group_namer, names_of_all
from deepfake_ssat.reporting.tables import percent

MOST_CURVES = 12


def roc_figure(report: EvalReport) -> bytes | None:
    """A PNG: all videos in black, and each smaller group with its AUC; None for one class."""
    curves = roc_curves(report)
    if not curves:
        return None
    figure, axes = _canvas(report, "ROC", 6.4, 6.2)
    axes.plot([0, 1], [0, 1], color=style.REFERENCE, linewidth=1, label="chance")
    name = group_namer(report)
    # The first is of all videos: drawn last, over the others.
    for number, curve in reversed(list(enumerate(curves[: 1 + MOST_CURVES]))):
        group = curve.group
        axes.plot(
            curve.false_positive_rates,
            curve.true_positive_rates,
            color=style.PALETTE[(number - 1) % len(style.PALETTE)] if number else style.BLACK,
            linestyle=style.LINES[number % len(style.LINES)],
            linewidth=1.6 if number else 2.2,
            label=f"{name(group)}: {percent(group.video['auc'], interval=False)} % "
            f"({group.num_real} real, {group.num_fake} fake)",
        )
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.set(xlabel="real videos called fake", ylabel="fake videos called fake")
    handles, names = axes.get_legend_handles_labels()
    sizes = {"title_fontsize": style.LEGEND_SIZE, "fontsize": style.LEGEND_SIZE}
    axes.legend(handles[::-1], names[::-1], loc="lower right", title="video AUC", **sizes)
    return style.png(figure)


def scores_figure(report: EvalReport) -> bytes | None:
    """A PNG: how many videos of each class got which probability, with the two thresholds."""
    reals, fakes = (
        [video.probability for video in report.videos if video.label == label] for label in (REAL, FAKE)
    )
    if not reals and not fakes:
        return None
    figure, axes = _canvas(report, "Scores", 6.8, 4.6)
    draw_scores(axes, reals, fakes, ("real", "fake"))
    axes.axvline(0.5, color=style.BLACK, linestyle=":", linewidth=1.2, label="0.5")
    if report.threshold is not None:
        label = f"validation threshold {report.threshold:.3f}"
        axes.axvline(report.threshold, color=style.BLACK, linestyle="--", linewidth=1.2, label=label)
    axes.set_xlabel("probability of fake, by video")
    style.legend_below(axes, style.LEGEND_SIZE)
    return style.png(figure)


def reliability_figure(report: EvalReport) -> bytes | None:
    """A PNG: the part of fakes against the probability."""
    bins = reliability(report)
    if not bins:
        return None
    figure, axes = _canvas(report, "Reliability", 6.0, 6.0)
    draw_reliability(axes, bins, ("real", "fake"))
    error = report.groups[0].video["calibration_error"]
    if error.value is not None:
        shown = percent(error, interval=False)
        axes.set_title(f"expected calibration error {shown} %", fontsize=style.PANEL_SIZE)
    return style.png(figure)


def _canvas(report: EvalReport, title: str, width: float, height: float) -> tuple[Figure, Axes]:
    """A figure whose heading says what was judged, on how much, by which checkpoint or file of scores."""
    everything = report.groups[0]
    kind = "scores" if report.provenance.get("scores") else "checkpoint"
    figure = style.new_figure(
        width,
        height,
        f"{title}: {everything.num_real} real and {everything.num_fake} fake videos\n"
        f"{names_of_all(report)}; {kind} {report.provenance[kind]['sha256'][:8]}",
    )
    axes = figure.add_subplot()
    style.add_grid(axes)
    return figure, axes
