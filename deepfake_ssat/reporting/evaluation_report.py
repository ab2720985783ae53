"""An evaluation: tables of at most 100 columns, Markdown, ROC, scores and reliability, JSON and CSV.

docs/evaluate_report.md documents every key of the JSON.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from deepfake_ssat.records import FAKE, REAL, DroppedVideo, Estimate, EvalGroup, EvalReport, EvaluatedVideo
from deepfake_ssat.reporting.documents import Files, document, identity, json_text
from deepfake_ssat.reporting.evaluation_figures import reliability_figure, roc_figure, scores_figure
from deepfake_ssat.reporting.group_names import group_namer, names_of_all, video_cells
from deepfake_ssat.reporting.intervals import INTERVALS
from deepfake_ssat.reporting.tables import (
    ABSENT,
    Table,
    absences,
    csv_table,
    estimate_text,
    markdown,
    percent,
)

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


RANKING = {
    "video AUC": "auc",
    "video AP": "average_precision",
    "video EER": "equal_error_rate",
    "TPR@1%": "tpr_at_1_percent_fpr",
    "TPR@5%": "tpr_at_5_percent_fpr",
}
DECISIONS = {
    "acc@0.5": "accuracy_at_half",
    "bal@0.5": "balanced_accuracy_at_half",
    "acc@val": "accuracy_at_threshold",
    "bal@val": "balanced_accuracy_at_threshold",
    "log loss": "log_loss",
    "ECE": "calibration_error",
}
WITH_INTERVAL = {"video AUC", "acc@0.5", "acc@val"}
"""On the terminal, where there is no room for more; the Markdown shows all."""


def tables(report: EvalReport, *, every_interval: bool = False) -> list[Table]:
    """Ranking, then decisions: a row for each group of videos."""
    heading = names_of_all(report) if len(video_cells(report)) == 1 else "videos"
    name = group_namer(report)
    shown = []
    for title, columns in (
        ("Ranking (%, [95 % interval])", _ranking),
        ("Decisions and calibration, by video (%, [95 % interval]; log loss in nats)", _decisions),
    ):
        rows = [
            (
                name(group),
                str(group.num_real),
                str(group.num_fake),
                *(_cell(*column, every_interval) for column in columns(report, group).items()),
            )
            for group in report.groups
        ]
        headings = (heading, "real", "fake", *columns(report, report.groups[0]))
        shown.append(Table(title, headings, rows))
    return shown


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
        *absences(_estimates(report)),
        *(f"warning: {warning}" for warning in report.warnings),
        identity("checkpoint", facts["checkpoint"]),
        f"{identity('manifest', facts['manifest'])}, splits {splits}",
        f"trained by: {_training(facts['training'])}",
        f"command: {facts['command']}",
    ]


def files(report: EvalReport) -> Files:
    """Pictures that need both classes are left out without them."""
    return {
        "scores.png": scores_figure(report),
        "reliability.png": reliability_figure(report),
        "roc.png": roc_figure(report),
        "videos.csv": videos_csv(report),
        "table.md": markdown("Evaluation", tables(report, every_interval=True), notes(report)),
        "report.json": report_json(report),
    }


def report_json(report: EvalReport) -> bytes:
    """The whole report but the scores of single videos and clips."""
    content = {
        **report.provenance,
        "intervals": INTERVALS,
        "threshold": {"value": report.threshold, "source": report.threshold_source},
        "counts": _counts(report),
        "groups": [_group_values(group, report.unit) for group in report.groups],
        "dropped": [asdict(video) for video in report.dropped],
        "warnings": report.warnings,
    }
    return json_text(document(SCHEMA_VERSION, content))


def videos_csv(report: EvalReport) -> bytes:
    """One line a video: the scored ones, then the dropped ones with their reasons."""
    rows = [*map(_scored_values, report.videos), *map(_dropped_values, report.dropped)]
    return csv_table(VIDEO_COLUMNS, rows)


def _ranking(report: EvalReport, group: EvalGroup) -> dict[str, Estimate]:
    """By heading; the last one says what single scores are of: clip or frame."""
    ranking = {heading: group.video[metric] for heading, metric in RANKING.items()}
    return {**ranking, f"{report.unit} AUC": group.clip["auc"]}


def _decisions(report: EvalReport, group: EvalGroup) -> dict[str, Estimate]:
    return {heading: group.video[metric] for heading, metric in DECISIONS.items()}


def _cell(heading: str, estimate: Estimate, every_interval: bool) -> str:
    interval = every_interval or heading in WITH_INTERVAL
    if heading == "log loss":
        return estimate_text(estimate, scale=1, digits=3, interval=interval)
    return percent(estimate, interval=interval)


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


def _estimates(report: EvalReport) -> list[tuple[str, str, Estimate]]:
    """(group, heading, estimate) of both tables, column by column."""
    name = group_namer(report)
    cells = [
        (name(group), heading, estimate)
        for group in report.groups
        for heading, estimate in {**_ranking(report, group), **_decisions(report, group)}.items()
    ]
    order = [heading for _, heading, _ in cells]
    return sorted(cells, key=lambda cell: order.index(cell[1]))


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


def _scored_values(video: EvaluatedVideo) -> dict[str, Any]:
    return {
        **vars(video),
        "status": "scored",
        "probability": f"{video.probability:.9g}",
        "faces": ";".join(f"{face.track_id}:{face.probability:.6f}" for face in video.verdict.faces),
        "clips": len(video.clips),
        "people": ";".join(video.people),
    }


def _dropped_values(video: DroppedVideo) -> dict[str, Any]:
    return {**vars(video), "status": video.reason.value, "clips": 0}
