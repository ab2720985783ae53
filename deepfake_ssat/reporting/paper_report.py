"""A table of the paper beside our runs of it, as Markdown, CSV and JSON; its figures are beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from deepfake_ssat.protocols.paper_results import RowResult
from deepfake_ssat.protocols.paper_table import PaperLine, PaperReport, Spread
from deepfake_ssat.reporting.documents import Files, document, json_text
from deepfake_ssat.reporting.paper_figures import curves_figure, numbers_figure
from deepfake_ssat.reporting.tables import ABSENT, Table, csv_table, markdown

ACCURACIES = (
    "variant",
    "row",
    "epochs",
    "seeds",
    "n test",
    "ours [95 %]",
    "last epoch",
    "best on test",
    "paper",
)
COSTS = ("variant", "row", "GFLOPs", "paper", "wall time", "kWh", "kg CO₂eq")
PAPER_COSTS = ("paper, GPU hours", "paper, kg CO₂eq")
"""Where the paper has them."""
CSV_COLUMNS = (
    *("variant", "row", "title", "column", "at", "epochs", "seeds", "n_test"),
    *("best_on_test", "best_on_test_sd", "chosen", "chosen_sd", "last", "last_sd", "low", "high"),
    *("paper", "gflops", "paper_gflops", "seconds", "kwh", "kg_co2"),
    *("paper_gpu_hours", "paper_kg_co2", "departures"),
)


def tables(report: PaperReport) -> list[Table]:
    """Accuracies beside the paper's, and costs."""
    accuracies = [
        (
            *_names(line),
            str(line.epochs),
            f"{len(line.seeds)} ({', '.join(map(str, line.seeds))})",
            str(line.pictures),
            f"{_spread(line.ours)} [{100 * line.interval[0]:.1f}, {100 * line.interval[1]:.1f}]",
            _spread(line.last),
            ABSENT if line.best_on_test is None else _spread(line.best_on_test),
            ABSENT if line.row.paper is None else f"{line.row.paper:.2f}",
        )
        for line in report.lines
    ]
    with_papers = any(line.row.paper_cost for line in report.lines)
    costs = [
        (
            *_names(line),
            " + ".join(f"{number / 1e9:.3g}" for number in line.multiply_adds),
            line.row.paper_gflops or ABSENT,
            _duration(line.seconds),
            *(ABSENT if value is None else f"{value:.3g}" for value in (line.kwh, line.kg_co2)),
            *(_papers_costs(line) if with_papers else ()),
        )
        for line in report.lines
    ]
    measured = "video accuracy at 0.5" if report.of_videos else "top-1"
    return [
        Table(f"{report.table.title}: {measured} (%)", ACCURACIES, accuracies, 2),
        *_others(report),
        Table(
            "Cost of a row, all its trainings together",
            (*COSTS, *PAPER_COSTS) if with_papers else COSTS,
            costs,
            2,
        ),
    ]


def _papers_costs(line: PaperLine) -> tuple[str, str]:
    cost = line.row.paper_cost
    return (ABSENT, ABSENT) if cost is None else (f"{cost.gpu_hours:g}", f"{cost.kg_co2:g}")


def _others(report: PaperReport) -> list[Table]:
    """What else was measured of videos."""
    names = list(dict.fromkeys(name for line in report.lines for name in line.others))
    rows = [(*_names(line), *(_percent(line.others.get(name)) for name in names)) for line in report.lines]
    title = "Beside the accuracy at 0.5, on the same videos (%)"
    return [Table(title, ("variant", "row", *names), rows, 2)] if names else []


def _percent(value: float | None) -> str:
    return ABSENT if value is None else f"{100 * value:.2f}"


def notes(report: PaperReport) -> list[str]:
    """What the numbers mean, and every departure from the paper and from the table's recipe."""
    methods = sorted({method for result in report.results.finished for method in result.cost.methods})
    items = "videos" if report.of_videos else "pictures"
    doubts = [
        f"warning: the {items} are made up here; these numbers say that every step works, and nothing else"
    ] * report.made_up
    return [
        *doubts,
        f"paper: {report.table.source}",
        "ours: mean ± standard deviation over seeds on the test split; the interval is Wilson's for that "
        f"mean at n test {items}: what the size of the split allows, whatever the seeds",
        *(f"{name}: {variant.about}" for name, variant in report.table.variants.items()),
        "best on test, which is optimistic: of all epochs where training watched the test split, "
        "elsewhere of the chosen one, the last and those whose weights trainer.keep_every_epochs kept",
        "GFLOPs: multiply-adds of matrix products and attention in one forward pass of the objective on one "
        f"{'clip' if report.of_videos else 'picture'}, counted while it runs, "
        "as the paper counts; A + B: one training, then the other",
        "wall time, kWh, kg CO₂eq: mean over seeds, with start and validations, interrupted sessions added "
        "up; of the whole machine: programs beside count too",
        *(f"energy by {method}" for method in methods),
        *(f"otherwise than the paper says: {line}" for line in report.table.departures),
        *_departures(report.lines),
        *report.results.under_way,
    ]


def _departures(lines: Sequence[PaperLine]) -> list[str]:
    """First what all lines share."""
    common = (
        [text for text in lines[0].departures if all(text in line.departures for line in lines)]
        if lines
        else []
    )
    own = {
        f"{line.variant}, {line.row.name}, {line.epochs} epochs": [
            text for text in line.departures if text not in common
        ]
        for line in lines
    }
    return [
        f"otherwise than the recipe, so that the paper's number is no target: {where}: {'; '.join(texts)}"
        for where, texts in {"all": common, **own}.items()
        if texts
    ]


def files(report: PaperReport) -> Files:
    """Values in CSV are parts of 1, but for the paper's; the JSON has every run with its settings."""
    content = {
        "table": report.table.title,
        "lines": [_values(line) for line in report.lines],
        "runs": [_run(result) for result in report.results.finished],
        "notes": notes(report),
    }
    curves = {f"curves_{variant}.png": curves_figure(report, variant) for variant in report.table.variants}
    return {
        f"{report.name}.md": markdown(report.table.title, tables(report), notes(report)),
        f"{report.name}.csv": csv_table(CSV_COLUMNS, map(_csv_values, report.lines)),
        f"{report.name}.png": numbers_figure(report),
        **curves,
        f"{report.name}.json": json_text(document("1.0", content)),
    }


def _names(line: PaperLine) -> tuple[str, str]:
    return line.variant, line.row.label


def _spread(spread: Spread) -> str:
    text = f"{100 * spread.mean:.2f}"
    return text if spread.deviation is None else f"{text} ± {100 * spread.deviation:.2f}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ABSENT
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes else f"{seconds:.0f} s"


def _values(line: PaperLine) -> dict[str, Any]:
    values = asdict(line)
    kept = {name: getattr(line.row, name) for name in ("title", "column", "at", "paper", "paper_gflops")}
    cost = line.row.paper_cost
    of_paper = {f"paper_{name}": value for name, value in (cost.model_dump() if cost else {}).items()}
    return {**values, "row": line.row.name, **kept, **of_paper}


def _csv_values(line: PaperLine) -> dict[str, Any]:
    spreads = {
        f"{name}{part}": value
        for name in ("best_on_test", "chosen", "last")
        if (spread := getattr(line, name)) is not None
        for part, value in (("", spread.mean), ("_sd", spread.deviation))
    }
    return {
        **_values(line),
        **spreads,
        "seeds": ";".join(map(str, line.seeds)),
        "n_test": line.pictures,
        "low": line.interval[0],
        "high": line.interval[1],
        "gflops": "+".join(f"{number / 1e9:.4g}" for number in line.multiply_adds),
        "departures": "; ".join(line.departures),
    }


def _run(result: RowResult) -> dict[str, Any]:
    values = {name: value for name, value in vars(result).items() if name not in ("stages", "curves")}
    return {
        **values,
        "cost": asdict(result.cost),
        "config": [stage.model_dump(mode="json") for stage in result.stages],
    }
