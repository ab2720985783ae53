"""An evaluation as tables for people: on the terminal, at most 100 columns wide, and as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deepfake_ssat.records import FAKE, REAL, Estimate, EvalGroup, EvalReport
from deepfake_ssat.reporting.evaluation.files import counts

ABSENT = "–"
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


def tables(unit: str) -> tuple[tuple[str, tuple[Column, ...]], ...]:
    """Title and columns of each table; ``unit`` is what single scores are of: clip or frame."""

    def video(name: str) -> Callable[[EvalGroup], Estimate]:
        return lambda group: group.video[name]

    ranking = (
        Column("video AUC", video("auc"), interval=True),
        Column("video AP", video("average_precision")),
        Column("video EER", video("equal_error_rate")),
        Column("TPR@1%", video("tpr_at_1_percent_fpr")),
        Column("TPR@5%", video("tpr_at_5_percent_fpr")),
        Column(f"{unit} AUC", lambda group: group.clip["auc"]),
    )
    decisions = (
        Column("acc@0.5", video("accuracy_at_half"), interval=True),
        Column("bal@0.5", video("balanced_accuracy_at_half")),
        Column("acc@val", video("accuracy_at_threshold"), interval=True),
        Column("bal@val", video("balanced_accuracy_at_threshold")),
        Column("log loss", video("log_loss"), percent=False),
        Column("ECE", video("calibration_error")),
    )
    return (
        ("Ranking (%, [95 % interval])", ranking),
        ("Decisions and calibration, by video (%, [95 % interval]; log loss in nats)", decisions),
    )


def print_report(report: EvalReport, console: Console) -> None:
    """The tables, then what they are about, what is missing and why, and the warnings."""
    name = namer(report)
    for title, columns in tables(report.unit):
        console.print(Text(title, style="bold"))
        table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column(_heading(report), overflow="fold", min_width=12)
        for heading in ("real", "fake", *(column.heading for column in columns)):
            table.add_column(heading, justify="right", no_wrap=True)
        for group in report.groups:
            cells = [_cell(column, column.estimate(group), column.interval) for column in columns]
            table.add_row(Text(name(group)), str(group.num_real), str(group.num_fake), *cells)
        console.print(table)
    for line in notes(report):
        console.print(Text(line))


def markdown(report: EvalReport) -> str:
    """The same with every interval, and the facts below as a list."""
    name = namer(report)
    parts = ["# Evaluation", ""]
    for title, columns in tables(report.unit):
        headings = [_heading(report), "real", "fake", *(column.heading for column in columns)]
        parts += [f"## {title}", "", _line(headings), _line([":--"] + ["--:"] * (len(headings) - 1))]
        for group in report.groups:
            cells = [_cell(column, column.estimate(group), interval=True) for column in columns]
            parts.append(_line([name(group), str(group.num_real), str(group.num_fake), *cells]))
        parts.append("")
    parts += [f"- {line}" for line in notes(report)]
    return "\n".join(parts) + "\n"


def namer(report: EvalReport) -> Callable[[EvalGroup], str]:
    """How groups are called: by manipulation, with corpus or compression where there are several of them."""
    corpora, compressions = ({cell[part] for cell in _cells(report)} for part in (0, 1))

    def name(group: EvalGroup) -> str:
        corpus = group.corpus if len(corpora) > 1 else ""
        compression = group.compression if len(compressions) > 1 else ""
        return " ".join(filter(None, (corpus, compression, group.manipulation))) or "all"

    return name


def names_of_all(report: EvalReport) -> str:
    """The corpora and compressions of the measured videos, such as ``ffpp c23, ffpp c40``."""
    return ", ".join(" ".join(filter(None, cell)) for cell in _cells(report)) or "no labelled videos"


def _heading(report: EvalReport) -> str:
    """Over the names of the groups: what they have in common."""
    return names_of_all(report) if len(_cells(report)) == 1 else "videos"


def _cells(report: EvalReport) -> list[tuple[str, str]]:
    return sorted({(video.corpus, video.compression) for video in report.videos if video.label is not None})


def notes(report: EvalReport) -> list[str]:
    """One line each: videos, rules, threshold, why values are missing, warnings, and what made them."""
    number, facts = counts(report), report.provenance
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
        f"checkpoint: {facts['checkpoint']['path']}, sha256 {facts['checkpoint']['sha256'][:16]}",
        f"manifest: {facts['manifest']['path']}, sha256 {facts['manifest']['sha256'][:16]}, "
        f"splits {', '.join(facts['selection']['splits']) or 'all'}",
        f"trained by: {_training(facts['training'])}",
        f"command: {facts['command']}",
    ]


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
    name = namer(report)
    concerned: dict[tuple[str, str, bool], list[str]] = {}
    for column in (column for _, columns in tables(report.unit) for column in columns):
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


def _cell(column: Column, estimate: Estimate, interval: bool) -> str:
    if estimate.value is None:
        return ABSENT
    scale, digits = (100, 1) if column.percent else (1, 3)
    text = f"{scale * estimate.value:.{digits}f}"
    if not interval or estimate.low is None or estimate.high is None:
        return text
    return f"{text} [{scale * estimate.low:.{digits}f}, {scale * estimate.high:.{digits}f}]"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
