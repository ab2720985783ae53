"""Table 5 by one command: its runs and their order, the table's numbers, and a tiny table from end to end."""

import json
import math
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import reproduce_table5
import table5_runs
from table5_plan import CONFIG, METHODS, make_plan
from table5_report import write_report
from table5_results import Result

from deepfake_ssat.commands import train
from deepfake_ssat.config import load_experiment

TINY = (
    "model.patch=7",
    "model.encoder.preset=null",
    "model.encoder.width=32",
    "model.encoder.depth=1",
    "model.encoder.heads=2",
    "optimizer.batch_size=8",
    "trainer.workers=0",
)


@pytest.fixture
def pictures(tmp_path):
    """MedMNIST's layout: 24 pictures to train on, 8 to validate, 10 to test; class 1 is brighter."""
    arrays, generator = {}, np.random.default_rng(0)
    for split, count in (("train", 24), ("val", 8), ("test", 10)):
        labels = np.arange(count) % 2
        images = generator.integers(0, 100, (count, 28, 28)) + 100 * labels[:, None, None]
        arrays |= {
            f"{split}_images": images.astype(np.uint8),
            f"{split}_labels": labels[:, None].astype(np.uint8),
        }
    np.savez(tmp_path / "tiny.npz", **arrays)
    return tmp_path / "tiny.npz"


def run(pictures, out, *words, changes=TINY):
    options = [word for change in changes for word in ("--set", change)]
    return reproduce_table5.main([str(pictures), str(out), "--threads", "1", *words, *options])


def plan(out, **changes):
    options = {"epochs": 9, "seeds": [0, 1], "methods": METHODS, "variants": ["paper", "held_out"]}
    return make_plan(out / "x.npz", out, **options | changes, threads=None, changes=())


def test_all_methods_of_a_seed_come_before_the_next_seed(tmp_path):
    order = [(stage.seed, stage.variant, stage.name) for stage in plan(tmp_path)]
    names = ["scratch", "ssat", "ssl_pretrain", "ssl_finetune", "supmae"]
    assert order == [
        (seed, kind, name) for seed in (0, 1) for kind in ("paper", "held_out") for name in names
    ]


def test_stages_of_one_method_last_as_long_as_another_method(tmp_path):
    for method in METHODS:
        stages = plan(tmp_path, seeds=[0], methods=[method], variants=["paper"])
        loaded = [load_experiment(CONFIG, stage.changes) for stage in stages]
        assert sum(experiment.trainer.epochs for experiment in loaded) == 9
        assert loaded[-1].optimizer == loaded[0].optimizer.model_copy(
            update={"betas": (0.9, 0.999), "warmup_epochs": loaded[-1].trainer.epochs / 10}
        )
    assert [experiment.objective.name for experiment in loaded] == ["supmae"]


def test_fine_tuning_starts_from_the_last_weights_of_its_own_pretraining(tmp_path):
    before, after = plan(tmp_path, seeds=[1], methods=["ssl_finetune"], variants=["held_out"])
    assert load_experiment(CONFIG, before.changes).objective.name == "mae"
    loaded = load_experiment(CONFIG, after.changes)
    assert loaded.init == before.folder / "checkpoints" / "last.safetensors"
    assert (loaded.objective.name, loaded.data.train_on_val, loaded.seed) == ("scratch", False, 1)


def result(seed, variant="paper", method="ssat", **changes):
    stage = load_experiment(CONFIG, (*TINY, f"seed={seed}"))
    values = {
        "epochs": 4,
        "stages": (stage,),
        "top1_best_on_test": 0.9 if variant == "paper" else None,
        "best_epoch": 3,
        "top1_last": 0.8,
        "top1_chosen": None if variant == "paper" else 0.75,
        "validation_best": None if variant == "paper" else 1.0,
        "pictures": 624,
        "cost": {"seconds": 5400.0 + seed, "kwh": None, "kg_co2": None, "energy": []},
        "curves": {"val_image_accuracy": {1: 0.5, 2: 0.9}, "classification_loss": {1: 0.7, 2: 0.4}},
    }
    return Result(variant=variant, method=method, seed=seed, **values | changes)


def test_table_tells_how_each_number_was_chosen(tmp_path):
    results = [result(0), result(1, top1_best_on_test=0.94), result(0, "held_out", "scratch")]
    lines = write_report(tmp_path, results, ["paper, seed 1: supmae is under way"]).read_text().splitlines()
    heading, ssat, scratch = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in (lines[0], *lines[2:4])
    )
    ssat, scratch = dict(zip(heading, ssat, strict=True)), dict(zip(heading, scratch, strict=True))
    optimistic = "top-1 best over epochs on test (the paper's way, optimistic)"
    chosen = "top-1 on test of the epoch chosen on validation"
    # Two values 4 apart: a standard deviation of 4 / sqrt(2).
    assert (ssat[optimistic], ssat[chosen], ssat["paper, table 5"]) == ("92.00 ± 2.83", "–", "93.11")
    assert (scratch[optimistic], scratch[chosen], scratch["paper, table 5"]) == ("–", "75.00", "90.22")
    assert (ssat["seeds"], ssat["n test"], ssat["wall time"], ssat["kWh"]) == (
        "2 (0, 1)",
        "624",
        "1 h 30 min",
        "–",
    )
    assert any("supmae is under way" in line for line in lines)
    assert len(json.loads((tmp_path / "table5.json").read_text())["runs"]) == 3
    assert (tmp_path / "table5.csv").read_text().count("\n") == 3
    for variant in ("paper", "held_out"):
        assert (tmp_path / f"curves_{variant}.png").read_bytes().startswith(b"\x89PNG")


def test_interval_is_that_of_wilson_over_the_test_pictures(tmp_path):
    write_report(tmp_path, [result(0, "held_out")], [])
    row = json.loads((tmp_path / "table5.json").read_text())["rows"][0]
    z, n, p = 1.96, 624, 0.75
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    np.testing.assert_allclose(
        row["chosen_interval"], [100 * (centre - half), 100 * (centre + half)], atol=0.01
    )


def test_time_and_energy_of_all_sessions_and_stages_add_up(tmp_path):
    folder = tmp_path / "runs" / "paper" / "seed0"
    folder.mkdir(parents=True)
    sessions = [{"seconds": 10.0, "kwh": 1.0, "kg_co2": 0.1}, {"seconds": 5.0, "kwh": 2.0, "kg_co2": 0.2}]
    (folder / "ssl_pretrain.cost.json").write_text(json.dumps({"sessions": sessions}))
    (folder / "ssl_finetune.cost.json").write_text(json.dumps({"sessions": sessions[:1]}))
    cost = table5_runs.read_cost(tmp_path, "paper", 0, "ssl_finetune")
    assert (cost["seconds"], cost["kwh"], cost["sessions"]) == (25.0, 4.0, 3)
    (folder / "ssl_finetune.cost.json").write_text(json.dumps({"sessions": [{"seconds": 1.0}]}))
    assert table5_runs.read_cost(tmp_path, "paper", 0, "ssl_finetune")["kwh"] is None


@pytest.mark.parametrize(
    ("words", "changes", "message"),
    [
        (["--epochs", "1"], TINY, "two stages of training need 2"),
        (["--epochs", "2"], (*TINY, "optimizer.speed=1"), "optimizer.speed is no key"),
        (["--epochs", "2"], (*TINY, "model.patch=5"), "not a multiple of patch 5"),
    ],
)
def test_wrong_settings_are_one_line_before_anything_is_trained(
    tmp_path, pictures, capsys, words, changes, message
):
    assert run(pictures, tmp_path / "out", *words, changes=changes) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_missing_data_is_one_line(tmp_path, capsys):
    assert run(tmp_path / "none.npz", tmp_path / "out", "--report-only") == 2
    assert "no such file" in capsys.readouterr().err


class InProcess:
    """Runs the command's training here: a process would spend its time importing."""

    def __init__(self, command, env):
        assert command[:4] == [sys.executable, "-m", "deepfake_ssat", "train"]
        changes = [after for word, after in pairwise(command) if word == "--set"]
        self.returncode = train.run(Path(command[4]), changes, Path(command[-1]))

    def wait(self, timeout=None):
        return self.returncode

    def terminate(self):
        pass


class KilledAtFineTuning(InProcess):
    def __init__(self, command, env):
        if command[-1].endswith("ssl_finetune"):
            self.returncode = -9
        else:
            super().__init__(command, env)


class OneKilowattHour:
    def __init__(self, country, cpu_watts):
        pass

    def stop(self):
        return {"kwh": 1.0, "kg_co2": 0.5}

    def method(self):
        return "a meter that always says the same"


@pytest.mark.slow
def test_tiny_table_from_end_to_end(tmp_path, pictures, capsys, monkeypatch):
    out = tmp_path / "out"
    monkeypatch.setattr(table5_runs, "EnergyMeter", OneKilowattHour)
    words = ["--epochs", "2", "--seeds", "3", "--methods", "ssl_finetune", "--variants", "held_out"]
    monkeypatch.setattr(table5_runs, "Popen", KilledAtFineTuning)
    assert run(pictures, out, *words) == -9
    assert run(pictures, out, "--report-only") == 0
    assert "held_out, seed 3: ssl_finetune is under way" in capsys.readouterr().out

    monkeypatch.setattr(table5_runs, "Popen", InProcess)
    assert run(pictures, out, *words) == 0
    folder = out / "runs" / "held_out" / "seed3"
    sessions = {
        file.name: len(json.loads(file.read_text())["sessions"]) for file in folder.glob("*.cost.json")
    }
    assert sessions == {"ssl_pretrain.cost.json": 1, "ssl_finetune.cost.json": 2}
    table = json.loads((out / "table5.json").read_text())
    (departures,) = [note for note in table["notes"] if "Other than the paper's recipe" in note]
    assert "2 epochs for 100" in departures
    assert "model.patch 7 for 2" in departures
    assert "positions" not in departures
    (row,) = table["rows"]
    assert (row["method"], row["epochs"], row["seeds"], row["n_test"]) == ("ssl_finetune", 2, [3], 10)
    assert row["best_on_test"] is None
    assert row["chosen"]["mean"] in {10.0 * correct for correct in range(11)}
    assert row["seconds"] > 0
    assert (row["kwh"], row["kg_co2"]) == (3.0, 1.5)
    assert len(row["gflops"]) == 2

    monkeypatch.setattr(table5_runs, "Popen", None)
    assert run(pictures, out, *words) == 0
    capsys.readouterr()
    assert run(pictures, out, *words, "--epochs", "4") == 2
    assert "was started with optimizer.warmup_epochs 0.1, now it is 0.2" in capsys.readouterr().err
