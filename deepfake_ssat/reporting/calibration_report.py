"""A calibration: tables, Markdown, reliability before and after, JSON (docs/calibration.md) and CSV."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from deepfake_ssat import metrics
from deepfake_ssat.calibration.report import CalibrationReport
from deepfake_ssat.calibration.sides import Side, crossed_counts, sides, verdict_counts
from deepfake_ssat.models.decision import ErrorLimit
from deepfake_ssat.records import FAKE, REAL
from deepfake_ssat.reporting.charts import draw_reliability, draw_scores
from deepfake_ssat.reporting.documents import Files, document, identity, json_text
from deepfake_ssat.reporting.style import BAND, BLACK, NUMBER_SIZE, PANEL_SIZE, legend_below, new_figure, png
from deepfake_ssat.reporting.tables import ABSENT, Table, csv_table, markdown

VIDEO_COLUMNS = (
    *("corpus", "video_id", "label", "manipulation"),
    *("probability_before", "probability", "verdict", "verdict_of_others"),
)
PICTURE_COLUMNS = ("name", "label", "probability_before", "probability", "verdict", "verdict_of_others")


def tables(report: CalibrationReport) -> list[Table]:
    """The probabilities before and after, and what the verdicts would have been on these videos."""
    wording = report.calibration.wording
    headings = ("", "temperature", "bias", "ECE, %", "Brier", "log loss", f"{wording.unit} AUC, %")
    crossed = crossed_counts(report)
    return [
        Table("Probabilities (both classes weighted alike)", headings, [*map(_quality_cells, sides(report))]),
        _verdict_table(f"Verdicts on these {wording.unit}s", verdict_counts(report)),
        *([_verdict_table(f"Verdicts of fits on {wording.others}", crossed)] if crossed else []),
    ]


def _verdict_table(title: str, counts: dict[str, dict[str, int]]) -> Table:
    rows = [(kind, *map(str, own.values())) for kind, own in counts.items()]
    return Table(title, ("", *next(iter(counts.values()))), rows)


def notes(report: CalibrationReport) -> list[str]:
    """One line each: what the verdicts mean, what few videos cannot show, warnings, files."""
    facts, found, wording = report.provenance, report.calibration, report.calibration.wording
    real, fake = wording.verdicts
    return [
        f"{fake} from {report.after.uncertain_high:.4f} on, {real} below {report.after.uncertain_low:.4f}",
        found.in_words(),
        f"measured on the {wording.unit}s that it was fitted on"
        + ("" if report.crossed else f"; there are too few to ask fits on {wording.others} too"),
        *_too_few(f"{wording.classes[REAL]} {wording.unit}s", found.false_alarms),
        *_too_few(f"{wording.classes[FAKE]} {wording.unit}s", found.misses),
        *([f"without a clip, left out: {len(report.dropped)} videos"] if report.dropped else []),
        *(f"warning: {warning}" for warning in report.warnings),
        identity("checkpoint", facts["checkpoint"]),
        *(identity("manifest", manifest) for manifest in facts.get("manifests", ())),
        f"command: {facts['command']}",
    ]


def files(report: CalibrationReport) -> Files:
    """The JSON has everything but the scores of single videos."""
    content = {
        **report.provenance,
        "meaning": report.calibration.in_words(),
        **{side.name: _side_values(side) for side in sides(report)},
        "verdicts": verdict_counts(report),
        "verdicts_of_others": crossed_counts(report),
        "dropped": [asdict(video) for video in report.dropped],
        "warnings": list(report.warnings),
    }
    unit = report.calibration.wording.unit
    columns = PICTURE_COLUMNS if unit == "picture" else VIDEO_COLUMNS
    return {
        "reliability.png": reliability_figure(report),
        f"{unit}s.csv": csv_table(columns, _example_values(report)),
        "table.md": markdown("Calibration", tables(report), notes(report)),
        "report.json": json_text(document("1.0", content)),
    }


def reliability_figure(report: CalibrationReport) -> bytes:
    """A PNG: two reliability diagrams above, the calibrated scores of both classes below."""
    labels, wording = report.labels, report.calibration.wording
    figure = new_figure(
        9.6,
        8.4,
        f"Calibration ({report.calibration.method}) on {np.sum(labels == REAL)} {wording.classes[REAL]} and "
        f"{np.sum(labels == FAKE)} {wording.classes[FAKE]} {wording.unit}s, both classes weighted alike\n"
        f"checkpoint {report.provenance['checkpoint']['sha256'][:8]}",
    )
    grid = figure.add_gridspec(2, 2, height_ratios=(1.6, 1.0))
    for place, side in enumerate(sides(report)):
        axes = figure.add_subplot(grid[0, place])
        draw_reliability(axes, side.bins, wording.classes, wording.unit, wording.verdicts[FAKE])
        error = _percent(side.quality.calibration_error)
        axes.set_title(
            f"{side.name}: temperature {side.decision.temperature:.3g}, bias {side.decision.bias:.3g}\n"
            f"ECE {error} %, Brier score {side.quality.brier:.3f}",
            fontsize=PANEL_SIZE,
        )
    _draw_verdicts(figure.add_subplot(grid[1, :]), report)
    return png(figure)


def _draw_verdicts(axes: Axes, report: CalibrationReport) -> None:
    """How many examples of each class got which calibrated probability, with the uncertain band shaded."""
    wording = report.calibration.wording
    real, fake = wording.verdicts
    reals, fakes = (report.probabilities_after[report.labels == label].tolist() for label in (REAL, FAKE))
    draw_scores(axes, reals, fakes, wording.classes, wording.unit)
    low, high = report.after.uncertain_low, report.after.uncertain_high
    if low < high:
        axes.axvspan(low, high, color=BAND, alpha=0.25, linewidth=0, label="uncertain")
    axes.axvline(low, color=BLACK, linestyle=":", linewidth=1.2, label=f"{real} below {low:.3f}")
    axes.axvline(high, color=BLACK, linestyle="--", linewidth=1.2, label=f"{fake} from {high:.3f}")
    axes.set_xlabel(f"calibrated probability of {fake}, by {wording.unit}")
    legend_below(axes, NUMBER_SIZE)


def _quality_cells(side: Side) -> tuple[str, ...]:
    found = side.quality
    return (
        side.name,
        f"{side.decision.temperature:.4g}",
        f"{side.decision.bias:.4g}",
        _percent(found.calibration_error),
        f"{found.brier:.4f}",
        f"{found.log_loss:.4f}",
        _percent(found.auc),
    )


def _percent(value: float | None) -> str:
    return ABSENT if value is None else f"{100 * value:.1f}"


def _too_few(kind: str, limit: ErrorLimit) -> list[str]:
    needed = metrics.videos_needed(limit.allowed)
    if limit.videos >= needed:
        return []
    return [
        f"{limit.videos} {kind} are too few to show {100 * limit.allowed:g} %: that takes {needed}, "
        "none of them misjudged"
    ]


def _side_values(side: Side) -> dict[str, Any]:
    return {
        "decision": asdict(side.decision),
        "quality": asdict(side.quality),
        "bins": [asdict(bin_) for bin_ in side.bins],
    }


def _example_values(report: CalibrationReport) -> list[dict[str, Any]]:
    before, after = report.probabilities_before.tolist(), report.probabilities_after.tolist()
    says = report.calibration.wording.says
    crossed = [says(verdict) for verdict in report.crossed] if report.crossed else [ABSENT] * len(after)
    return [
        {
            **vars(video),
            "probability_before": f"{its_before:.9g}",
            "probability": f"{its_after:.9g}",
            "verdict": says(report.after.verdict(its_after)),
            "verdict_of_others": others,
        }
        for video, its_before, its_after, others in zip(report.videos, before, after, crossed, strict=True)
    ]
