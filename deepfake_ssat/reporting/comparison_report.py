"""A comparison of methods as tables for people, and as Markdown, CSV and JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from deepfake_ssat.metrics import RESAMPLES
from deepfake_ssat.protocols.comparison import LEVEL, Comparison, MethodDifference, MethodSummary
from deepfake_ssat.protocols.recipes import RecipeDifference
from deepfake_ssat.reporting.documents import Files, document, json_text
from deepfake_ssat.reporting.intervals import INTERVALS
from deepfake_ssat.reporting.tables import ABSENT, Table, csv_table, markdown, percent

METHOD_COLUMNS = (
    *("videos", "method", "metric", "mean", "standard_deviation"),
    *("low", "high", "runs", "seeds", "note"),
)
RELATED = {"videos": "videos of one person", "pictures": "pictures of one thing, patient or person"}
"""What is not independent."""
DIFFERENCE_COLUMNS = (
    *("videos", "metric", "first", "second", "difference", "low", "high"),
    *("p_value", "p_value_holm", "conclusion"),
)


def tables(comparison: Comparison) -> list[Table]:
    """One table of the methods, one of their differences for each metric; percent, and points."""
    several = len(comparison.columns) > 1
    heading, names = (("videos",), 2) if several else ((), 1)
    summaries = [
        (
            *((one.column,) if several else ()),
            one.method,
            comparison.titles[one.metric],
            str(len(one.seeds)),
            _mean_and_deviation(one),
        )
        for one in comparison.summaries
    ]
    title = (
        f"Methods (%, mean ± standard deviation over training runs, [95 % interval over {comparison.judged}])"
    )
    shown = [Table(title, (*heading, "method", "metric", "runs", "value"), summaries, names + 1)]
    for metric, title in comparison.titles.items():
        rows = [
            (
                *((one.column,) if several else ()),
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
            shown.append(Table(f"Differences in {title}", headings, rows, names))
    if comparison.recipes:
        methods = list(dict.fromkeys(one.method for one in comparison.summaries))
        rows = [(one.key, *(_values(one, name) for name in methods)) for one in comparison.recipes]
        shown.append(Table("Settings in which the methods differ", ("setting", *methods), rows))
    return shown


def notes(comparison: Comparison) -> list[str]:
    """One line each: the videos, the tests, warnings."""
    judged = comparison.judged
    of_area = "p of AUC: DeLong's test, of accuracies" if "auc" in comparison.titles else "p of accuracies"
    lines = []
    for column in comparison.columns:
        where = f"{column.column}: " if column.column else ""
        left = f"; {column.left_out} that not all runs judged are left out" if column.left_out else ""
        lines.append(f"{where}{column.counted}, judged by every run{left}")
    lines += [
        f"intervals: {RESAMPLES} paired bootstrap resamples of the {judged}; {of_area}: sign flips of each "
        f"{judged.removesuffix('s')}'s difference (McNemar's exact test for single runs); Holm's "
        f"correction over all tests of a metric, a difference is real below {LEVEL:g}",
        f"the tests ask whether other {judged} of this kind would rank these trained models alike, not "
        f"whether other training runs would; {RELATED[judged]} are not independent, so small p are somewhat "
        "too small",
    ]
    return [*lines, *(f"warning: {warning}" for warning in comparison.warnings)]


def files(comparison: Comparison) -> Files:
    """Values in CSV and JSON are parts of 1; JSON has everything but single scores."""
    content = {
        "intervals": INTERVALS,
        "level": LEVEL,
        "runs": [asdict(run) for run in comparison.runs],
        comparison.judged: [
            {"column": one.column, **one.values, "left_out": one.left_out} for one in comparison.columns
        ],
        "methods": [asdict(one) for one in comparison.summaries],
        "differences": [_difference_values(one) for one in comparison.differences],
        "recipes": [asdict(one) for one in comparison.recipes],
        "notes": notes(comparison),
    }
    return {
        "comparison.md": markdown("Methods compared", tables(comparison), notes(comparison)),
        "methods.csv": csv_table(METHOD_COLUMNS, map(_method_values, comparison.summaries)),
        "differences.csv": csv_table(DIFFERENCE_COLUMNS, map(_difference_values, comparison.differences)),
        "comparison.json": json_text(document("1.1", content)),
    }


def _values(one: RecipeDifference, method: str) -> str:
    """A dash where the method's results do not say how it was trained."""
    return ", ".join(map(str, one.values[method])) if method in one.values else ABSENT


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


def _method_values(one: MethodSummary) -> dict[str, Any]:
    return {
        "videos": one.column,
        "method": one.method,
        "metric": one.metric,
        "mean": one.estimate.value,
        "standard_deviation": one.deviation,
        **asdict(one.estimate),
        "runs": len(one.seeds),
        "seeds": ";".join(str(seed) for seed in one.seeds if seed is not None),
    }


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
