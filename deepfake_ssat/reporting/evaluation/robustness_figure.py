"""The picture of a robustness report: metric against severity, one line a kind of perturbation."""

from __future__ import annotations

import io
from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deepfake_ssat.evaluation.robustness import NONE, RobustnessReport
from deepfake_ssat.video.perturbation import KINDS, LEVELS

COLOURS = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000"),
    *("#999999", "#7A4A1E"),
)
"""Okabe and Ito's, with a grey and a brown; markers and styles tell apart what colours do."""
MARKERS = ("o", "s", "^", "v", "D", "P", "X", "*", "<")
STYLES = ("-", "--", "-.")
SHIFT = 0.03
"""Levels between the points of one kind and the next, so that equal values do not hide each other."""
LOWEST = 40.0
"""Of the axis, in percent, where nothing lies below."""
TITLES = {
    "auc": "video AUC",
    "accuracy_at_threshold": "accuracy by video at the validation threshold",
    "accuracy_at_half": "accuracy by video at 0.5",
}


def robustness_figure(report: RobustnessReport) -> bytes:
    """A PNG: AUC at the left, accuracy at the right, with the interval of the unperturbed as a band."""
    clean = report.results[0]
    figure = Figure(figsize=(10.5, 5.2), layout="constrained")
    figure.suptitle(
        f"Perturbed {'face crops' if report.on == 'clips' else 'source videos'}: {clean.num_real} real and "
        f"{clean.num_fake} fake videos; checkpoint {report.provenance['checkpoint']['sha256'][:8]}",
        fontsize=10,
    )
    panels = figure.subplots(1, 2, sharey=True)
    for axes, metric in zip(panels, report.shown_metrics, strict=True):
        _panel(axes, report, metric)
    panels[0].set(ylabel="%", ylim=(_lowest(report), 102))
    # By name: the two panels share the lines, but not every band.
    named = {
        name: handle
        for axes in panels[::-1]
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(list(named.values()), list(named), loc="outside right upper", fontsize=8)
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=120)
    return data.getvalue()


def _panel(axes: Axes, report: RobustnessReport, metric: str) -> None:
    clean = report.find(NONE, 0).metrics[metric]
    if clean.low is not None and clean.high is not None:
        label = "95 % interval at level 0"
        axes.axhspan(100 * clean.low, 100 * clean.high, color="#EEEEEE", label=label, zorder=0)
    if metric == "auc":
        axes.axhline(50, color="#999999", linewidth=1, linestyle=":", label="chance (AUC)")
    looks = zip(report.kinds, cycle(COLOURS), MARKERS, cycle(STYLES))
    for number, (kind, colour, marker, style) in enumerate(looks):
        shift = SHIFT * (number - (len(report.kinds) - 1) / 2)
        values = [report.find(kind, level).metrics[metric].value for level in (0, *LEVELS)]
        heights = [float("nan") if value is None else 100 * value for value in values]
        axes.plot(
            [level + shift for level in (0, *LEVELS)],
            heights,
            color=colour,
            marker=marker,
            linestyle=style,
            markersize=5,
            linewidth=1.5,
            label=KINDS[kind].title,
        )
    axes.set_title(TITLES[metric], fontsize=10)
    axes.set(xlabel="level of perturbation (0: none)", xticks=(0, *LEVELS))
    axes.grid(color="#E5E5E5", linewidth=0.6)
    axes.set_axisbelow(True)


def _lowest(report: RobustnessReport) -> float:
    """Where the axis begins: the ten below everything that is drawn, at most LOWEST."""
    drawn = [
        100 * value
        for result in report.results
        for estimate in (result.metrics[metric] for metric in report.shown_metrics)
        for value in (estimate.value, estimate.low if result.kind == NONE else None)
        if value is not None
    ]
    return max(min([LOWEST, *(value // 10 * 10 for value in drawn)]), 0.0) - 2
