"""A table of the paper beside our runs of it: Markdown, CSV, JSON, and figures of the numbers and curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from deepfake_ssat.config.paper import TableRow
from deepfake_ssat.protocols.paper_results import ACCURACY, VIDEO_AUC, RowResult
from deepfake_ssat.protocols.paper_table import PaperLine, PaperReport, Spread
from deepfake_ssat.records import Estimate
from deepfake_ssat.reporting import style
from deepfake_ssat.reporting.documents import Files, document, json_text
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
PANELS_ACROSS, LEGEND_COLUMNS, LEGEND_ENTRY, LEGEND_LINE = 2, 4, 2.0, 0.18
"""The last two, an entry's width and a line's height, in inches."""
VARIANTS_APART = 0.12
"""Of the distance between two rows of a figure."""
PANELS = {
    "classification_loss": "classification loss, training",
    "reconstruction_loss": "reconstruction loss, training",
}


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
    measured = "video accuracy at 0.5" if _of_videos(report) else "top-1"
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


def _of_videos(report: PaperReport) -> bool:
    return report.table.rows[0].judged is not None


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
    items = "videos" if _of_videos(report) else "pictures"
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
        f"{'clip' if _of_videos(report) else 'picture'}, counted while it runs, "
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
    curves = {f"curves_{variant}.png": _curves(report, variant) for variant in report.table.variants}
    return {
        f"{report.name}.md": markdown(report.table.title, tables(report), notes(report)),
        f"{report.name}.csv": csv_table(CSV_COLUMNS, map(_csv_values, report.lines)),
        f"{report.name}.png": _figure(report),
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


def _figure(report: PaperReport) -> bytes | None:
    """Our numbers with their intervals, the paper's as open diamonds; a panel a column of the table."""
    if not report.lines:
        return None
    shown = {line.row.name for line in report.lines}
    columns: dict[str, list[TableRow]] = {}
    for row in report.table.rows:
        if row.name in shown:
            columns.setdefault(row.column, []).append(row)
    across = min(len(columns), PANELS_ACROSS)
    down = -(-len(columns) // across)
    width = across * max(3.0, *(0.8 * len(rows) for rows in columns.values())) + 1
    figure = style.new_figure(width, 4 * down, report.table.title)
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for axes, (column, rows) in zip(panels, columns.items(), strict=False):
        _draw_column(axes, report, rows)
        axes.set_title(column, fontsize=style.PANEL_SIZE)
        axes.set_ylabel("accuracy at 0.5 (%)" if _of_videos(report) else "top-1 (%)")
    for axes in panels[len(columns) :]:
        axes.remove()
    entries = {
        label: handle
        for axes in panels
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    columns_of_legend = min(LEGEND_COLUMNS, int(width / LEGEND_ENTRY))
    figure.legend(entries.values(), entries, loc="outside lower center", ncols=columns_of_legend)
    return style.png(figure)


def _draw_column(axes: Axes, report: PaperReport, rows: Sequence[TableRow]) -> None:
    """Over ``at`` where the rows have it, side by side elsewhere."""
    places = {row.name: float(number) if row.at is None else row.at for number, row in enumerate(rows)}
    side_by_side = all(row.at is None for row in rows)
    apart = VARIANTS_APART if side_by_side else 0.0
    for number, variant in enumerate(report.table.variants):
        own = [line for line in report.lines if line.variant == variant and line.row.name in places]
        if not own:
            continue
        estimates = [Estimate(line.ours.mean, *line.interval) for line in own]
        where = np.array([places[line.row.name] + apart * (number + 1) for line in own])
        colour, marker = style.PALETTE[number], style.MARKERS[number]
        style.plot_estimates(axes, where, estimates, colour, marker, f"ours, {variant}")
    known = {places[row.name]: row.paper for row in rows if row.paper is not None}
    axes.plot(
        list(known),
        list(known.values()),
        linestyle="",
        marker="D",
        markerfacecolor="none",
        color=style.BLACK,
        label="the paper's number",
    )
    if side_by_side:
        axes.set_xlim(-0.5, len(rows) - 0.5)
        names = [row.title for row in rows]
        axes.set_xticks(list(places.values()), names, fontsize=style.LEGEND_SIZE, rotation=30, ha="right")
    axes.set_xlabel(report.table.at)
    style.add_grid(axes, "y")


def _curves(report: PaperReport, variant: str) -> bytes | None:
    """Accuracy and losses over the epochs, a line a row."""
    own = [result for result in report.results.finished if result.variant == variant]
    if not own:
        return None
    watched = "test" if own[0].chosen is None else "validation"
    measured = (VIDEO_AUC, "video AUC") if _of_videos(report) else (ACCURACY, "accuracy")
    panels = {measured[0]: f"{watched} {measured[1]}", **PANELS}
    title = f"{report.table.title}, {variant}; bands: smallest to largest over seeds"
    rows = {row.name: row.label for row in report.table.rows if row.name in {one.row for one in own}}
    figure = style.new_figure(13, 4 + LEGEND_LINE * -(-len(rows) // LEGEND_COLUMNS), title)
    for axes, (column, heading) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        for number, (name, label) in enumerate(rows.items()):
            results = [result for result in own if result.row == name and column in result.curves]
            if results:
                _draw_curve(axes, results, column, number, label)
        axes.set(title=heading, xlabel="epoch")
        style.add_grid(axes)
    # Some rows have no reconstruction, and some no classification.
    lines = {line.get_label(): line for axes in figure.axes for line in axes.get_lines()}
    figure.legend(
        list(lines.values()),
        list(map(str, lines)),
        title="row (seeds)",
        loc="outside lower center",
        ncols=LEGEND_COLUMNS,
        fontsize=style.LEGEND_SIZE,
    )
    return style.png(figure)


def _draw_curve(axes: Axes, results: Sequence[RowResult], column: str, number: int, title: str) -> None:
    curves = [result.curves[column] for result in results]
    epochs = sorted(set.intersection(*(set(curve) for curve in curves)))
    values = np.array([[curve[epoch] for epoch in epochs] for curve in curves])
    colour = style.PALETTE[number % len(style.PALETTE)]
    line = style.LINES[number % len(style.LINES)]
    axes.plot(epochs, values.mean(axis=0), line, color=colour, label=f"{title} ({len(curves)})")
    axes.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, linewidth=0)
