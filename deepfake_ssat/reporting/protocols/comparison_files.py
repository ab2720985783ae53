"""A comparison of methods as tables for people, and as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from deepfake_ssat.metrics import CONFIDENCE, RESAMPLES
from deepfake_ssat.protocols.comparison import (
    LEVEL,
    CommonVideos,
    Comparison,
    MethodDifference,
    MethodSummary,
)
from deepfake_ssat.protocols.manipulation_table import METRICS
from deepfake_ssat.records import FAKE, REAL
from deepfake_ssat.reporting.protocols.text import ABSENT, TextTable, markdown_document, percent
from deepfake_ssat.version import __version__

SCHEMA_VERSION = "1.0"


def text_tables(comparison: Comparison) -> list[TextTable]:
    """One table of the methods, one of their differences for each metric; percent, and points."""
    columns = len(comparison.videos) > 1
    summaries = [
        (
            *((one.column,) if columns else ()),
            one.method,
            str(len(one.seeds)),
            METRICS[one.metric],
            _mean_and_deviation(one),
        )
        for one in comparison.summaries
    ]
    heading = ("videos",) if columns else ()
    tables = [
        TextTable(
            "Methods (%, mean ± standard deviation over training runs, [95 % interval over videos])",
            (*heading, "method", "runs", "metric", "value"),
            tuple(summaries),
        )
    ]
    for metric, title in METRICS.items():
        rows = [
            (
                *((one.column,) if columns else ()),
                f"{one.first} − {one.second}",
                _points(one),
                _p_value(one.found.p_value),
                _p_value(one.adjusted),
                one.conclusion,
            )
            for one in comparison.differences
            if one.metric == metric
        ]
        if rows:
            headings = (*heading, "difference", "points [95 %]", "p", "p (Holm)", "conclusion")
            tables.append(TextTable(f"Differences in {title}", headings, tuple(rows)))
    return tables


def notes(comparison: Comparison) -> list[str]:
    """One line each: the videos, the tests, warnings."""
    lines = []
    for videos in comparison.videos:
        where = f"{videos.column}: " if videos.column else ""
        left = f"; {videos.left_out} that not all runs judged are left out" if videos.left_out else ""
        lines.append(
            f"{where}{int(np.sum(videos.labels == REAL))} real and {int(np.sum(videos.labels == FAKE))} "
            f"fake videos, judged by every run{left}"
        )
    lines += [
        f"intervals: {RESAMPLES} paired bootstrap resamples of the videos; p of AUC: DeLong's test, of "
        "accuracies: sign flips of each video's difference (McNemar's exact test for single runs); Holm's "
        f"correction over all tests of a metric, a difference is real below {LEVEL:g}",
        "the tests ask whether other videos of this kind would rank these trained models alike, not whether "
        "other training runs would; videos of one person are not independent, so small p are somewhat too "
        "small",
    ]
    return [*lines, *(f"warning: {warning}" for warning in comparison.warnings)]


def markdown(comparison: Comparison) -> str:
    """The page for people."""
    return markdown_document("Methods compared", text_tables(comparison), notes(comparison))


def methods_csv(comparison: Comparison) -> str:
    """A line for each method, column and metric; values are parts of 1."""
    return _table(
        {
            "videos": one.column,
            "method": one.method,
            "metric": one.metric,
            "mean": one.estimate.value,
            "standard_deviation": one.deviation,
            "low": one.estimate.low,
            "high": one.estimate.high,
            "runs": len(one.seeds),
            "seeds": ";".join(str(seed) for seed in one.seeds if seed is not None),
            "note": one.estimate.note,
        }
        for one in comparison.summaries
    )


def differences_csv(comparison: Comparison) -> str:
    """A line for each pair, column and metric; values are parts of 1."""
    return _table(_difference_values(one) for one in comparison.differences)


def comparison_json(comparison: Comparison, runs: Sequence[Mapping[str, Any]]) -> str:
    """Everything but the scores of single videos; ``runs`` say where each method's were read."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "program": {"name": "deepfake-ssat", "version": __version__},
        "intervals": {"confidence": CONFIDENCE, "resamples": RESAMPLES},
        "level": LEVEL,
        "runs": list(runs),
        "videos": [_video_values(videos) for videos in comparison.videos],
        "methods": [asdict(one) for one in comparison.summaries],
        "differences": [_difference_values(one) for one in comparison.differences],
        "notes": notes(comparison),
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _mean_and_deviation(one: MethodSummary) -> str:
    text = percent(one.estimate)
    if one.deviation is None:
        return text
    value, _, interval = text.partition(" ")
    return " ".join(filter(None, (value, f"± {100 * one.deviation:.1f}", interval)))


def _points(one: MethodDifference) -> str:
    text = f"{100 * one.found.difference:+.1f}"
    if one.found.low is None or one.found.high is None:
        return text
    return f"{text} [{100 * one.found.low:+.1f}, {100 * one.found.high:+.1f}]"


def _p_value(value: float | None) -> str:
    if value is None:
        return ABSENT
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _difference_values(one: MethodDifference) -> dict[str, Any]:
    return {
        "videos": one.column,
        "metric": one.metric,
        "first": one.first,
        "second": one.second,
        **asdict(one.found),
        "p_value_holm": one.adjusted,
        "conclusion": one.conclusion,
    }


def _video_values(videos: CommonVideos) -> dict[str, Any]:
    return {
        "column": videos.column,
        "num_real": int(np.sum(videos.labels == REAL)),
        "num_fake": int(np.sum(videos.labels == FAKE)),
        "left_out": videos.left_out,
    }


def _table(lines: Iterable[Mapping[str, Any]]) -> str:
    rows = [{name: "" if value is None else value for name, value in line.items()} for line in lines]
    if not rows:
        return ""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
