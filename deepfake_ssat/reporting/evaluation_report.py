"""An evaluation: tables of at most 100 columns, Markdown, ROC, scores and reliability, JSON and CSV.

docs/evaluate_report.md documents every key of the JSON.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from deepfake_ssat.records import FAKE, REAL, DroppedVideo, Estimate, EvalGroup, EvalReport, ScoredVideo
from deepfake_ssat.reporting.documents import INTERVALS, Files, document, identity, json_text
from deepfake_ssat.reporting.evaluation_figures import reliability_figure, roc_figure, scores_figure
from deepfake_ssat.reporting.group_names import group_namer, names_of_all, video_cells
from deepfake_ssat.reporting.tables import ABSENT, Table, csv_table, estimate_text, markdown

SCHEMA_VERSION = "1.0"
VIDEO_COLUMNS = (
    *("corpus", "video_id", "split", "label", "manipulation", "compression"),
    *("status", "probability", "faces", "clips", "people", "detail"),
)
LEGEND = (
    "TPR@1%: the fakes found while at most 1 % of the real videos are called fake; bal: the mean of the "
    "accuracies on real and on fake; ECE: expected calibration error; intervals: 1000 bootstrap resamples of "
    "the videos, for acc Wilson's"
)


@dataclass(frozen=True)
class Column:
    """One metric of a table."""

    heading: str
    estimate: Callable[[EvalGroup], Estimate]
    percent: bool = True
    interval: bool = False
    """Shown on the terminal as well; the Markdown shows all."""


def tables(report: EvalReport, *, every_interval: bool = False) -> list[Table]:
    """Ranking, then decisions; every interval is more than a terminal is wide."""
    heading = names_of_all(report) if len(video_cells(report)) == 1 else "videos"
    name = group_namer(report)
    return [
        Table(
            title,
            (heading, "real", "fake", *(column.heading for column in columns)),
            [
                (
                    name(group),
                    str(group.num_real),
                    str(group.num_fake),
                    *(_cell(column, group, column.interval or every_interval) for column in columns),
                )
                for group in report.groups
            ],
        )
        for title, columns in _columns(report.unit).items()
    ]


def notes(report: EvalReport) -> list[str]:
    """One line each: videos, rules, threshold, why values are missing, warnings, and what made them."""
    number, facts = _counts(report), report.provenance
    splits = ", ".join(facts["selection"]["splits"]) or "all"
    threshold = ABSENT if report.threshold is None else f"{report.threshold:.4f}"
    return [
        f"videos ({names_of_all(report)}): {number['videos_scored']} scored on "
        f"{number['clips_scored']} {report.unit}s, "
        f"{number['videos_dropped']} dropped{_reasons(report)}",
        f"scores: {facts['scoring']['rule']}; {facts['scoring']['aggregation']}",
        f"validation threshold (acc@val, bal@val): {threshold}, {report.threshold_source}",
        LEGEND,
        *_absences(report),
        *(f"warning: {warning}" for warning in report.warnings),
        identity("checkpoint", facts["checkpoint"]),
        f"{identity('manifest', facts['manifest'])}, splits {splits}",
        f"trained by: {_training(facts['training'])}",
        f"command: {facts['command']}",
    ]


def files(report: EvalReport) -> Files:
    """Pictures that need both classes are left out without them; the JSON has no scores of single videos."""
    content = {
        **report.provenance,
        "intervals": INTERVALS,
        "threshold": {"value": report.threshold, "source": report.threshold_source},
        "counts": _counts(report),
        "groups": [_group_values(group, report.unit) for group in report.groups],
        "dropped": [asdict(video) for video in report.dropped],
        "warnings": list(report.warnings),
    }
    rows = [*map(_scored_values, report.videos), *map(_dropped_values, report.dropped)]
    return {
        "scores.png": scores_figure(report),
        "reliability.png": reliability_figure(report),
        "roc.png": roc_figure(report),
        "videos.csv": csv_table(VIDEO_COLUMNS, rows),
        "table.md": markdown("Evaluation", tables(report, every_interval=True), notes(report)),
        "report.json": json_text(document(SCHEMA_VERSION, content)),
    }


def _columns(unit: str) -> dict[str, tuple[Column, ...]]:
    """By title of the table; ``unit`` is what single scores are of: clip or frame."""

    def video(name: str) -> Callable[[EvalGroup], Estimate]:
        return lambda group: group.video[name]

    return {
        "Ranking (%, [95 % interval])": (
            Column("video AUC", video("auc"), interval=True),
            Column("video AP", video("average_precision")),
            Column("video EER", video("equal_error_rate")),
            Column("TPR@1%", video("tpr_at_1_percent_fpr")),
            Column("TPR@5%", video("tpr_at_5_percent_fpr")),
            Column(f"{unit} AUC", lambda group: group.clip["auc"]),
        ),
        "Decisions and calibration, by video (%, [95 % interval]; log loss in nats)": (
            Column("acc@0.5", video("accuracy_at_half"), interval=True),
            Column("bal@0.5", video("balanced_accuracy_at_half")),
            Column("acc@val", video("accuracy_at_threshold"), interval=True),
            Column("bal@val", video("balanced_accuracy_at_threshold")),
            Column("log loss", video("log_loss"), percent=False),
            Column("ECE", video("calibration_error")),
        ),
    }


def _cell(column: Column, group: EvalGroup, interval: bool) -> str:
    scale, digits = (100, 1) if column.percent else (1, 3)
    return estimate_text(column.estimate(group), scale=scale, digits=digits, interval=interval)


def _training(facts: dict[str, str | None]) -> str:
    digest = facts["config_sha256"]
    whole = f" (config sha256 {digest[:16]}, whole in report.json)" if digest else ""
    return f"{facts['command'] or 'a command that the checkpoint does not name'}{whole}"


def _reasons(report: EvalReport) -> str:
    """Why videos were dropped, and of which class they were."""
    if not report.dropped:
        return ""
    counted = Counter(video.reason.value for video in report.dropped)
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(counted.items()))
    of_class = Counter(video.label for video in report.dropped)
    return f" ({reasons}; {of_class[REAL]} real, {of_class[FAKE]} fake; see videos.csv)"


def _absences(report: EvalReport) -> list[str]:
    """The reasons behind each – and each doubtful interval, with the groups that they concern."""
    name = group_namer(report)
    concerned: dict[tuple[str, str, bool], list[str]] = {}
    for column in (column for columns in _columns(report.unit).values() for column in columns):
        for group in report.groups:
            estimate = column.estimate(group)
            if estimate.note:
                key = (estimate.note, column.heading, estimate.value is None)
                concerned.setdefault(key, []).append(name(group))
    headings: dict[tuple[str, bool, tuple[str, ...]], list[str]] = {}
    for (note, heading, absent), groups in concerned.items():
        headings.setdefault((note, absent, tuple(groups)), []).append(heading)
    return [
        f"{ABSENT if absent else 'interval of'} {', '.join(columns)}"
        f"{'' if len(groups) == len(report.groups) else f' ({_some(groups)})'}: {note}"
        for (note, absent, groups), columns in headings.items()
    ]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _counts(report: EvalReport) -> dict[str, int]:
    return {
        "videos_scored": len(report.videos),
        "videos_unlabelled": sum(video.label is None for video in report.videos),
        "videos_dropped": len(report.dropped),
        "clips_scored": sum(len(video.clips) for video in report.videos),
    }


def _group_values(group: EvalGroup, unit: str) -> dict[str, Any]:
    """The clip metrics are named by what was scored, so that nobody takes them for video metrics."""
    values = asdict(group)
    measured = values.pop("clip")
    return {**values, unit: measured}


def _scored_values(video: ScoredVideo) -> dict[str, Any]:
    return {
        **vars(video),
        "status": "scored",
        "probability": f"{video.probability:.9g}",
        "faces": ";".join(f"{track}:{probability:.6f}" for track, probability, _ in video.faces),
        "clips": len(video.clips),
        "people": ";".join(video.people),
    }


def _dropped_values(video: DroppedVideo) -> dict[str, Any]:
    return {**vars(video), "status": video.reason.value, "clips": 0}
