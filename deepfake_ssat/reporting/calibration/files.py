"""A calibration for programs and people: report.json, videos.csv, and the lines that are printed."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import asdict

from deepfake_ssat import metrics
from deepfake_ssat.calibration.report import CalibrationReport, quality
from deepfake_ssat.models.decision import ErrorLimit
from deepfake_ssat.records import Verdict
from deepfake_ssat.reporting.protocols.text import ABSENT, TextTable
from deepfake_ssat.version import __version__

SCHEMA_VERSION = "1.0"
VIDEO_COLUMNS = (
    "corpus",
    "video_id",
    "label",
    "manipulation",
    "probability_before",
    "probability",
    "verdict",
)


def report_json(report: CalibrationReport) -> str:
    """Everything but the scores of single videos, indented; docs/calibration.md names the keys."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "program": {"name": "deepfake-ssat", "version": __version__},
        **report.provenance,
        "meaning": report.calibration.in_words(),
        "before": _side(report, after=False),
        "after": _side(report, after=True),
        "verdicts": _verdict_counts(report),
        "dropped": [asdict(video) for video in report.dropped],
        "warnings": list(report.warnings),
    }
    return json.dumps(document, indent=2, allow_nan=False, default=str) + "\n"


def videos_csv(report: CalibrationReport) -> str:
    """One line a video, with its verdict after."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(VIDEO_COLUMNS)
    for video, before, after in zip(
        report.videos, report.probabilities_before, report.probabilities_after, strict=True
    ):
        named = (video.corpus, video.video_id, video.label, video.manipulation)
        writer.writerow((*named, f"{before:.9g}", f"{after:.9g}", report.after.verdict(after).value))
    return text.getvalue()


def text_tables(report: CalibrationReport) -> list[TextTable]:
    """The probabilities before and after, and what the verdicts would have been on these videos."""
    rows = []
    for name, decision, probabilities in (
        ("before", report.before, report.probabilities_before),
        ("after", report.after, report.probabilities_after),
    ):
        found = quality(report.labels, probabilities)
        error = ABSENT if found.calibration_error is None else f"{100 * found.calibration_error:.1f}"
        area = ABSENT if found.auc is None else f"{100 * found.auc:.1f}"
        scaling = (f"{decision.temperature:.4g}", f"{decision.bias:.4g}")
        rows.append((name, *scaling, error, f"{found.brier:.4f}", f"{found.log_loss:.4f}", area))
    headings = ("", "temperature", "bias", "ECE, %", "Brier", "log loss", "video AUC, %")
    counts = _verdict_counts(report)
    verdicts = [(kind, *(str(counts[kind][name.value]) for name in Verdict)) for kind in counts]
    return [
        TextTable("Probabilities (both classes weighted alike)", headings, tuple(rows)),
        TextTable("Verdicts on these videos", ("", *(name.value for name in Verdict)), tuple(verdicts)),
    ]


def notes(report: CalibrationReport) -> list[str]:
    """One line each: what the verdicts mean, what few videos cannot show, warnings, files."""
    facts = report.provenance
    return [
        f"fake from {report.after.uncertain_high:.4f} on, real below {report.after.uncertain_low:.4f}",
        report.calibration.in_words(),
        "measured on the videos that it was fitted on; evaluate on others tells how it does there",
        *_too_few("genuine", report.calibration.false_alarms),
        *_too_few("manipulated", report.calibration.misses),
        *([f"without a clip, left out: {len(report.dropped)} videos"] if report.dropped else []),
        *(f"warning: {warning}" for warning in report.warnings),
        f"checkpoint: {facts['checkpoint']['path']}, sha256 {facts['checkpoint']['sha256'][:16]}",
        *(
            f"manifest: {manifest['path']}, sha256 {manifest['sha256'][:16]}"
            for manifest in facts["manifests"]
        ),
        f"command: {facts['command']}",
    ]


def _too_few(kind: str, limit: ErrorLimit) -> list[str]:
    needed = metrics.videos_needed(limit.allowed)
    if limit.videos >= needed:
        return []
    return [
        f"{limit.videos} {kind} videos are too few to show {100 * limit.allowed:g} %: that takes {needed}, "
        "none of them misjudged"
    ]


def _side(report: CalibrationReport, after: bool) -> dict[str, object]:
    decision = report.after if after else report.before
    probabilities = report.probabilities_after if after else report.probabilities_before
    return {
        "decision": asdict(decision),
        "quality": asdict(quality(report.labels, probabilities)),
        "bins": [asdict(bin_) for bin_ in metrics.balanced_bins(report.labels, probabilities)],
    }


def _verdict_counts(report: CalibrationReport) -> dict[str, dict[str, int]]:
    """How many genuine and how many manipulated videos get each verdict."""
    found = {}
    for label, kind in enumerate(("genuine", "manipulated")):
        counted = Counter(
            report.after.verdict(value)
            for value in report.probabilities_after[report.labels == label].tolist()
        )
        found[kind] = {name.value: counted[name] for name in Verdict}
    return found
