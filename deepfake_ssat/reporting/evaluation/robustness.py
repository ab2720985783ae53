"""What perturbations do to the metrics: one result for each kind and level, as table, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deepfake_ssat.evaluation.robustness import METRICS, PerturbedResult, RobustnessReport
from deepfake_ssat.metrics import CONFIDENCE, RESAMPLES
from deepfake_ssat.records import Estimate
from deepfake_ssat.version import __version__
from deepfake_ssat.video.perturbation import KINDS, LEVELS

SCHEMA_VERSION = "1.0"
ABSENT = "–"
HEADINGS = {"auc": "video AUC", "accuracy_at_threshold": "acc@val", "accuracy_at_half": "acc@0.5"}
ON = {
    "clips": "the stored face crops, each scored segment for itself",
    "videos": "the source videos, before faces are looked for",
}


def robustness_json(report: RobustnessReport) -> str:
    """Everything, indented; docs/evaluate_report.md documents the keys."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "program": {"name": "deepfake-ssat", "version": __version__},
        **report.provenance,
        "intervals": {"confidence": CONFIDENCE, "resamples": RESAMPLES},
        "threshold": {"value": report.threshold, "source": report.threshold_source},
        "perturbed": {"on": report.on, "seed": report.seed},
        "kinds": {
            name: {
                "title": KINDS[name].title,
                "parameter": KINDS[name].parameter,
                "values": KINDS[name].values,
                "source": KINDS[name].source,
            }
            for name in report.kinds
        },
        "results": [asdict(result) for result in report.results],
        "warnings": list(report.warnings),
    }
    return json.dumps(document, indent=2, allow_nan=False, default=str) + "\n"


def robustness_csv(report: RobustnessReport) -> str:
    """One line a kind and level."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    intervals = [f"{name}{part}" for name in METRICS for part in ("", "_low", "_high")]
    writer.writerow(("perturbation", "level", "value", "real", "fake", "clips", "dropped", *intervals))
    for result in report.results:
        numbers = [
            "" if number is None else f"{number:.6f}"
            for estimate in (result.metrics[name] for name in METRICS)
            for number in (estimate.value, estimate.low, estimate.high)
        ]
        value = "" if result.value is None else f"{result.value:g}"
        counts = (result.num_real, result.num_fake, result.num_clips, len(result.dropped))
        writer.writerow((result.kind, result.level, value, *counts, *numbers))
    return text.getvalue()


def robustness_markdown(report: RobustnessReport) -> str:
    """AUC by kind and level at a glance, then every row with intervals and n, then what it is about."""
    parts = ["# Robustness", "", "## Video AUC by level, %", "", *_overview(report), ""]
    metrics = report.shown_metrics
    headings = (
        "perturbation",
        "level",
        "parameter",
        "real",
        "fake",
        "dropped",
        *(HEADINGS[m] for m in metrics),
    )
    parts += ["## Every level (%, [95 % interval])", "", _line(headings), _line([":--"] + ["--:"] * 7)]
    for result in report.results:
        counts = (result.num_real, result.num_fake, len(result.dropped))
        cells = [_cell(result.metrics[name], interval=True) for name in metrics]
        named = (_title(result.kind), str(result.level), _parameter(result))
        parts.append(_line([*named, *map(str, counts), *cells]))
    return "\n".join([*parts, "", *(f"- {line}" for line in notes(report))]) + "\n"


def print_robustness(report: RobustnessReport, console: Console) -> None:
    """The table at a glance, and what it is about."""
    console.print(Text("Video AUC by level of perturbation (%)", style="bold"))
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("perturbation")
    for level in (0, *LEVELS):
        table.add_column(str(level), justify="right", no_wrap=True)
    for kind in report.kinds:
        table.add_row(kind, *_levels(report, kind))
    console.print(table)
    for line in notes(report):
        console.print(Text(line))


def notes(report: RobustnessReport) -> list[str]:
    """One line each: what was perturbed, how many videos, the threshold, where levels are from, warnings."""
    clean = report.results[0]
    threshold = ABSENT if report.threshold is None else f"{report.threshold:.4f}"
    reasons = sorted(
        {estimate.note for r in report.results for estimate in r.metrics.values() if estimate.note}
    )
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
        *(f"{ABSENT} or without an interval: {reason}" for reason in reasons),
        *(f"warning: {warning}" for warning in report.warnings),
        f"checkpoint: sha256 {report.provenance['checkpoint']['sha256'][:16]}; manifest: sha256 "
        f"{report.provenance['manifest']['sha256'][:16]}; seed {report.seed}",
        f"command: {report.provenance['command']}",
    ]


def _overview(report: RobustnessReport) -> list[str]:
    headings = ["perturbation", *map(str, (0, *LEVELS))]
    rows = [[_title(kind), *_levels(report, kind)] for kind in report.kinds]
    return [_line(headings), _line([":--"] + ["--:"] * 6), *map(_line, rows)]


def _levels(report: RobustnessReport, kind: str) -> list[str]:
    return [_cell(report.find(kind, level).metrics["auc"], interval=False) for level in (0, *LEVELS)]


def _title(kind: str) -> str:
    return f"{kind} ({KINDS[kind].title})" if kind in KINDS else kind


def _parameter(result: PerturbedResult) -> str:
    return ABSENT if result.value is None else f"{KINDS[result.kind].parameter} {result.value:g}"


def _cell(estimate: Estimate, interval: bool) -> str:
    if estimate.value is None:
        return ABSENT
    text = f"{100 * estimate.value:.1f}"
    if not interval or estimate.low is None or estimate.high is None:
        return text
    return f"{text} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
