"""What perturbations do to the metrics: tables, Markdown, curves, JSON (docs/evaluate_report.md) and CSV."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import cycle
from typing import Any

from matplotlib.axes import Axes

from deepfake_ssat.evaluation.robustness import METRICS, NONE, PerturbedResult, RobustnessReport
from deepfake_ssat.protocols.manipulation_table import METRICS as METRIC_TITLES
from deepfake_ssat.reporting import style
from deepfake_ssat.reporting.documents import Files, document, json_text
from deepfake_ssat.reporting.intervals import INTERVALS
from deepfake_ssat.reporting.tables import ABSENT, Table, absences, csv_table, markdown, percent
from deepfake_ssat.video.perturbation import KINDS, LEVELS

HEADINGS = {"auc": "video AUC", "accuracy_at_threshold": "acc@val", "accuracy_at_half": "acc@0.5"}
ON = {
    "clips": "the stored face crops, each scored segment for itself",
    "videos": "the source videos, before faces are looked for",
}
CSV_COLUMNS = (
    *("perturbation", "level", "value", "real", "fake", "clips", "dropped"),
    *(f"{name}{part}" for name in METRICS for part in ("", "_low", "_high")),
)
SHIFT = 0.03
"""Levels between the points of one kind and the next, so that equal values do not hide each other."""
LOWEST = 38
"""Where the axis begins, in percent, unless something lies below."""


def tables(report: RobustnessReport) -> list[Table]:
    """AUC by kind and level at a glance."""
    rows = [
        (
            _title(kind),
            *(percent(report.find(kind, level).metrics["auc"], interval=False) for level in (0, *LEVELS)),
        )
        for kind in report.kinds
    ]
    return [Table("Video AUC by level, %", ("perturbation", *map(str, (0, *LEVELS))), rows)]


def notes(report: RobustnessReport) -> list[str]:
    """One line each: what was perturbed, how many videos, the threshold, where levels are from, warnings."""
    clean = report.results[0]
    threshold = ABSENT if report.threshold is None else f"{report.threshold:.4f}"
    estimates = [
        (f"{result.kind} {result.level}", HEADINGS[metric], result.metrics[metric])
        for metric in METRICS
        for result in report.results
    ]
    sources: dict[str, list[str]] = {}
    for name in report.kinds:
        sources.setdefault(KINDS[name].source, []).append(name)
    lost = sum(len(result.dropped) for result in report.results)
    return [
        f"perturbed: {ON[report.on]}; level 0 is the pictures as they are",
        f"videos at level 0: {clean.num_real} real, {clean.num_fake} fake, {clean.num_clips} clips; "
        + (f"{lost} lost their faces at some level, see dropped" if lost else "none lost at any level"),
        f"validation threshold (acc@val), chosen on pictures as they are: {threshold}, "
        f"{report.threshold_source}",
        "levels from " + "; ".join(f"{source}: {', '.join(names)}" for source, names in sources.items()),
        *absences(estimates),
        *(f"warning: {warning}" for warning in report.warnings),
        f"checkpoint: sha256 {report.provenance['checkpoint']['sha256'][:16]}; manifest: sha256 "
        f"{report.provenance['manifest']['sha256'][:16]}; seed {report.seed}",
        f"command: {report.provenance['command']}",
    ]


def files(report: RobustnessReport) -> Files:
    """A line a kind and level in CSV; in the Markdown and the JSON every row with intervals and n."""
    content = {
        **report.provenance,
        "intervals": INTERVALS,
        "threshold": {"value": report.threshold, "source": report.threshold_source},
        "perturbed": {"on": report.on, "seed": report.seed},
        "kinds": {name: _kind_values(name) for name in report.kinds},
        "results": [asdict(result) for result in report.results],
        "warnings": list(report.warnings),
    }
    name = f"perturbed_{report.on}"
    return {
        f"{name}.png": robustness_figure(report),
        f"{name}.csv": csv_table(CSV_COLUMNS, map(_csv_values, report.results)),
        f"{name}.md": markdown("Robustness", [*tables(report), _every_level(report)], notes(report)),
        f"{name}.json": json_text(document("1.0", content)),
    }


def robustness_figure(report: RobustnessReport) -> bytes:
    """A PNG: AUC at the left, accuracy at the right, with the interval of the unperturbed as a band."""
    clean = report.results[0]
    figure = style.new_figure(
        10.5,
        5.2,
        f"Perturbed {'face crops' if report.on == 'clips' else 'source videos'}: {clean.num_real} real and "
        f"{clean.num_fake} fake videos; checkpoint {report.provenance['checkpoint']['sha256'][:8]}",
    )
    panels = figure.subplots(1, 2, sharey=True)
    for axes, metric in zip(panels, report.shown_metrics, strict=True):
        _draw(axes, report, metric)
    panels[0].set(ylabel="%", ylim=(min(panels[0].get_ylim()[0], LOWEST), 102))
    # By name: the two panels share the lines, but not every band.
    named = {
        name: handle
        for axes in panels[::-1]
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(list(named.values()), list(named), loc="outside right upper", fontsize=style.LEGEND_SIZE)
    return style.png(figure)


def _draw(axes: Axes, report: RobustnessReport, metric: str) -> None:
    clean = report.find(NONE, 0).metrics[metric]
    if clean.low is not None and clean.high is not None:
        label = "95 % interval at level 0"
        axes.axhspan(100 * clean.low, 100 * clean.high, color="#EEEEEE", label=label, zorder=0)
    if metric == "auc":
        axes.axhline(50, color=style.REFERENCE, linewidth=1, linestyle=":", label="chance (AUC)")
    looks = zip(report.kinds, cycle((*style.PALETTE, style.BLACK)), style.MARKERS, cycle(style.LINES[:3]))
    for number, (kind, colour, marker, line) in enumerate(looks):
        shift = SHIFT * (number - (len(report.kinds) - 1) / 2)
        axes.plot(
            [level + shift for level in (0, *LEVELS)],
            [style.in_percent(report.find(kind, level).metrics[metric].value) for level in (0, *LEVELS)],
            color=colour,
            marker=marker,
            linestyle=line,
            markersize=5,
            linewidth=1.5,
            label=KINDS[kind].title,
        )
    axes.set_title(METRIC_TITLES[metric], fontsize=style.TITLE_SIZE)
    axes.set(xlabel="level of perturbation (0: none)", xticks=(0, *LEVELS))
    style.add_grid(axes)


def _every_level(report: RobustnessReport) -> Table:
    named = ("perturbation", "level", "parameter", "real", "fake", "dropped")
    headings = (*named, *(HEADINGS[metric] for metric in report.shown_metrics))
    return Table("Every level (%, [95 % interval])", headings, [*_level_cells(report)])


def _level_cells(report: RobustnessReport) -> Iterator[list[str]]:
    for result in report.results:
        kind = KINDS.get(result.kind)
        parameter = f"{kind.parameter} {result.value:g}" if kind else ABSENT
        counts = (result.num_real, result.num_fake, len(result.dropped))
        estimates = [percent(result.metrics[name]) for name in report.shown_metrics]
        yield [_title(result.kind), str(result.level), parameter, *map(str, counts), *estimates]


def _title(kind: str) -> str:
    return f"{kind} ({KINDS[kind].title})" if kind in KINDS else kind


def _kind_values(name: str) -> dict[str, Any]:
    return {key: getattr(KINDS[name], key) for key in ("title", "parameter", "values", "source")}


def _csv_values(result: PerturbedResult) -> dict[str, Any]:
    values = {
        "perturbation": result.kind,
        "level": result.level,
        "value": None if result.value is None else f"{result.value:g}",
        "real": result.num_real,
        "fake": result.num_fake,
        "clips": result.num_clips,
        "dropped": len(result.dropped),
    }
    for name, estimate in result.metrics.items():
        for part, value in (("", estimate.value), ("_low", estimate.low), ("_high", estimate.high)):
            values[name + part] = None if value is None else f"{value:.6f}"
    return values
