"""Table 5 from results: a row for each variant and method, as Markdown, CSV and JSON, and curves as PNG."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from table5_plan import CONFIG, METHODS, VARIANTS
from table5_results import Result

from deepfake_ssat.config import Experiment, ModelSettings, load_experiment
from deepfake_ssat.metrics import wilson_interval
from deepfake_ssat.outputs import write_file
from deepfake_ssat.training.operations import count_multiply_adds
from deepfake_ssat.training.run_folder import leaves

PAPER = {"scratch": 90.22, "ssat": 93.11}
"""Table 5, PMNIST, ViT-T, top-1 in percent; SSL → fine-tune and SupMAE are not in it."""
PAPER_GFLOPS = {"scratch": "1.26", "ssat": "1.67", "ssl_finetune": "0.43+1.26"}
"""Table 3: ViT-T with 196 patches of 16 × 16 of ImageNet pictures; ours are 2 × 2."""
TITLES = {"scratch": "scratch", "ssat": "SSAT", "ssl_finetune": "SSL → fine-tune", "supmae": "SupMAE"}
COLOURS = {"scratch": "#000000", "ssat": "#0072B2", "ssl_finetune": "#E69F00", "supmae": "#009E73"}
STYLES = {"scratch": "-", "ssat": "-", "ssl_finetune": "--", "supmae": "-."}
COLUMNS = {
    "variant": "variant",
    "method": "method",
    "epochs": "epochs",
    "seeds": "seeds",
    "n_test": "n test",
    "best_on_test": "top-1 best over epochs on test (the paper's way, optimistic)",
    "last": "top-1 of the last epoch",
    "chosen": "top-1 on test of the epoch chosen on validation",
    "chosen_interval": "its 95 % interval (Wilson)",
    "paper": "paper, table 5",
    "gflops": "GFLOPs",
    "paper_gflops": "paper, table 3",
    "seconds": "wall time",
    "kwh": "kWh",
    "kg_co2": "kg CO₂eq",
}


def write_report(out: Path, results: Sequence[Result], unfinished: Sequence[str]) -> Path:
    """Writes table5.md, .csv, .json and curves_<variant>.png; returns the first of them."""
    rows = [row for variant in VARIANTS for method in METHODS for row in _rows(results, variant, method)]
    notes = [*_notes(results), *unfinished]
    write_file(out / "table5.md", _markdown(rows, notes).encode())
    write_file(out / "table5.csv", _csv(rows).encode())
    document = {"rows": rows, "runs": [_run(result) for result in results], "notes": notes}
    write_file(out / "table5.json", (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())
    for variant in VARIANTS:
        if picture := _curves([result for result in results if result.variant == variant], variant):
            write_file(out / f"curves_{variant}.png", picture)
    return out / "table5.md"


def _rows(results: Sequence[Result], variant: str, method: str) -> list[dict[str, Any]]:
    """A row for each number of epochs that the method was trained for, over its seeds."""
    own = [result for result in results if (result.variant, result.method) == (variant, method)]
    return [
        _row([result for result in own if result.epochs == epochs])
        for epochs in sorted({result.epochs for result in own})
    ]


def _row(results: list[Result]) -> dict[str, Any]:
    first = results[0]
    chosen = [result.top1_chosen for result in results if result.top1_chosen is not None]
    interval = None
    if chosen:
        low, high = wilson_interval(round(statistics.mean(chosen) * first.pictures), first.pictures)
        interval = [100 * low, 100 * high]
    return {
        "variant": first.variant,
        "method": first.method,
        "epochs": first.epochs,
        "seeds": [result.seed for result in results],
        "n_test": first.pictures,
        "best_on_test": _statistics(results, lambda result: result.top1_best_on_test),
        "last": _statistics(results, lambda result: result.top1_last),
        "chosen": _statistics(results, lambda result: result.top1_chosen),
        "chosen_interval": interval,
        "paper": PAPER.get(first.method),
        "gflops": [_billions(stage) for stage in first.stages],
        "paper_gflops": PAPER_GFLOPS.get(first.method),
        **{key: _mean([result.cost[key] for result in results]) for key in ("seconds", "kwh", "kg_co2")},
    }


def _billions(stage: Experiment) -> float:
    """Multiply-adds of one picture."""
    assert isinstance(stage.model, ModelSettings)
    return count_multiply_adds(stage.model, stage.objective) / 1e9


def _statistics(
    results: Sequence[Result], value: Callable[[Result], float | None]
) -> dict[str, float | None] | None:
    """Mean and standard deviation over seeds, in percent; no deviation with one seed."""
    found = [100 * number for result in results if (number := value(result)) is not None]
    if not found:
        return None
    return {"mean": statistics.mean(found), "sd": statistics.stdev(found) if len(found) > 1 else None}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.mean(known) if known and len(known) == len(values) else None


def _run(result: Result) -> dict[str, Any]:
    return {
        "variant": result.variant,
        "method": result.method,
        "seed": result.seed,
        "epochs": result.epochs,
        "best_epoch": result.best_epoch,
        "top1_best_on_test": result.top1_best_on_test,
        "top1_last": result.top1_last,
        "top1_chosen": result.top1_chosen,
        "validation_best": result.validation_best,
        "n_test": result.pictures,
        "cost": result.cost,
        "config": [stage.model_dump(mode="json") for stage in result.stages],
    }


def _notes(results: Sequence[Result]) -> list[str]:
    """What the numbers mean."""
    notes = [
        "Top-1 in percent on the test split, mean ± standard deviation over seeds. `paper`: trained on train "
        "+ val, the test split watched after every epoch and its best epoch reported, as the paper does; the "
        "choice makes that number optimistic. `held_out`: trained on train alone, the epoch chosen on val, "
        "test scored once for it.",
        "The Wilson interval is that of the mean accuracy at n test pictures: what the size of the split "
        "allows, whatever the seeds.",
        "GFLOPs: multiply-adds of matrix products and attention in one forward pass of the objective on one "
        "picture, as table 3 counts; of torch's count one half. A + B: pre-training, then fine-tuning. Table "
        "3's are of 224-pixel pictures in patches of 16, the same number of tokens with larger patches.",
        "Wall time, kWh and kg CO₂eq: mean over seeds, all trainings of the method with their start and "
        "validations, resumed sessions added up. They are of the whole machine: programs beside count too.",
    ]
    methods = sorted({method for result in results for method in result.cost["energy"]})
    return notes + [f"Energy by {method}." for method in methods] + _departures(results)


def _departures(results: Sequence[Result]) -> list[str]:
    """What was done otherwise than in the paper; its numbers stand beside these all the same."""
    recipe = load_experiment(CONFIG)
    model = dict(leaves(recipe.model.model_dump(mode="json")))
    found = set()
    for result in results:
        own = dict(leaves(result.stages[-1].model.model_dump(mode="json")))
        found |= {
            f"model.{key} {own.get(key)} for {model.get(key)}"
            for key in own | model
            if own.get(key) != model.get(key)
        }
        if result.epochs != recipe.trainer.epochs:
            found.add(f"{result.epochs} epochs for {recipe.trainer.epochs}")
    return (
        [f"Other than the paper's recipe, so that its numbers are no target: {'; '.join(sorted(found))}."]
        if found
        else []
    )


def _markdown(rows: Sequence[dict[str, Any]], notes: Sequence[str]) -> str:
    shown = [list(COLUMNS.values())] + [[_cell(row, key) for key in COLUMNS] for row in rows]
    lines = [f"| {' | '.join(cells)} |" for cells in shown]
    lines.insert(1, "|" + "---|" * len(COLUMNS))
    return "\n".join([*lines, "", *(f"- {note}" for note in notes)]) + "\n"


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS.values())
    writer.writerows([[_cell(row, key) for key in COLUMNS] for row in rows])
    return text.getvalue()


def _cell(row: dict[str, Any], key: str) -> str:
    """As a reader wants it; a dash for what there is not."""
    value = row[key]
    if value is None:
        return "–"
    if key == "method":
        return TITLES[value]
    if key == "seeds":
        return f"{len(value)} ({', '.join(map(str, value))})"
    if key in ("best_on_test", "last", "chosen"):
        return f"{value['mean']:.2f}" + ("" if value["sd"] is None else f" ± {value['sd']:.2f}")
    if key == "chosen_interval":
        return f"[{value[0]:.1f}, {value[1]:.1f}]"
    if key == "gflops":
        return " + ".join(f"{number:.3g}" for number in value)
    if key == "seconds":
        minutes = round(value / 60)
        return f"{minutes // 60} h {minutes % 60:02d} min" if minutes else f"{value:.0f} s"
    if key == "paper":
        return f"{value:.2f}"
    if key in ("kwh", "kg_co2"):
        return f"{value:.3g}"
    return str(value)


def _curves(results: Sequence[Result], variant: str) -> bytes | None:
    """Accuracy and losses over the epochs: mean and smallest to largest over the seeds of each method."""
    if not results:
        return None
    watched = "test" if variant == "paper" else "validation"
    panels = {
        "val_image_accuracy": f"{watched} accuracy",
        "classification_loss": "classification loss, training",
        "reconstruction_loss": "reconstruction loss, training",
    }
    figure = Figure(figsize=(13, 4), layout="constrained")
    for axes, (column, title) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        for method in METHODS:
            curves = [r.curves[column] for r in results if r.method == method and column in r.curves]
            if not curves:
                continue
            epochs = sorted(set.intersection(*(set(curve) for curve in curves)))
            values = np.array([[curve[epoch] for epoch in epochs] for curve in curves])
            look = {"color": COLOURS[method], "linestyle": STYLES[method]}
            axes.plot(epochs, values.mean(axis=0), label=f"{TITLES[method]} ({len(curves)})", **look)
            axes.fill_between(
                epochs, values.min(axis=0), values.max(axis=0), color=COLOURS[method], alpha=0.15, linewidth=0
            )
        axes.set(title=title, xlabel="epoch")
        axes.grid(alpha=0.3)
        if axes.has_data():
            axes.legend(title="method (seeds)", fontsize="small")
    figure.suptitle(f"PneumoniaMNIST, variant {variant}; bands: smallest to largest over seeds")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    return picture.getvalue()
