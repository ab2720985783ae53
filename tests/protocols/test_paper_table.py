"""A table of the paper by one command: its runs and their order, its numbers, a tiny one from end to end."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from deepfake_ssat.cli import app
from deepfake_ssat.clips.images import image_dataset
from deepfake_ssat.config import load_experiment
from deepfake_ssat.config.paper import (
    PaperCost,
    Stage,
    TableRow,
    Variant,
    find_paper_table,
    load_paper_table,
)
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.models.checkpoint import load_checkpoint
from deepfake_ssat.protocols import costs, reproduce
from deepfake_ssat.protocols.costs import Cost, cost_file, metered, read_cost
from deepfake_ssat.protocols.paper import MANIPULATIONS, TABLE_8
from deepfake_ssat.protocols.paper_plan import Choice, make_plan, recipe, shares, stage_folders
from deepfake_ssat.protocols.paper_results import Results, RowResult
from deepfake_ssat.protocols.paper_table import paper_report
from deepfake_ssat.protocols.settings import setting_differences
from deepfake_ssat.reporting.paper_report import files, notes, tables
from deepfake_ssat.training.run_folder import RunFolder

TABLE = load_paper_table(find_paper_table("table5"))
TINY = (
    "model.patch=7",
    "model.encoder.preset=null",
    "model.encoder.width=32",
    "model.encoder.depth=1",
    "model.encoder.heads=2",
    "optimizer.batch_size=8",
    "trainer.workers=0",
    "trainer.threads=1",
)


def plan(out, **changes):
    options = {"epochs": 9, "seeds": (0, 1), "variants": ("paper", "held_out")}
    return make_plan(TABLE, Choice(data=out, out=out, **options | changes))


def test_all_rows_of_a_seed_come_before_the_next_seed(tmp_path):
    order = [(one.seed, one.variant, one.folder.root.name) for one in plan(tmp_path)]
    names = ["scratch", "ssat", "ssl_pretrain", "ssl_finetune", "supmae_pretrain", "supmae", "ssat_visible"]
    names += ["vit_s_scratch", "vit_s_ssat"]
    names += [f"chaoyang_{name}" for name in ("scratch", "ssat", "vit_s_scratch", "vit_s_ssat")]
    assert order == [
        (seed, kind, name) for seed in (0, 1) for kind in ("paper", "held_out") for name in names
    ]


def test_stages_of_one_row_last_as_long_as_another_row(tmp_path):
    for row in TABLE.rows:
        trainings = plan(tmp_path, seeds=(0,), rows=(row.name,), variants=("paper",))
        assert sum(one.experiment.trainer.epochs for one in trainings) == 9
        for one in trainings:
            optimizer, epochs = one.experiment.optimizer, one.experiment.trainer.epochs
            assert optimizer.warmup_epochs == pytest.approx(epochs / 10)
            assert (optimizer.base_learning_rate, optimizer.batch_size) == (1e-3, 64)
        assert trainings[-1].experiment.optimizer.betas == (0.9, 0.999)
    assert [one.experiment.model.encoder.width for one in trainings] == [384]


def test_whole_recipe_keeps_its_warm_up(tmp_path):
    (whole,) = plan(tmp_path, seeds=(0,), rows=("ssat",), variants=("paper",), epochs=100)
    expected = load_experiment(TABLE.config, [*TABLE.set, f"data.path={tmp_path / 'pneumoniamnist.npz'}"])
    assert whole.experiment == expected


def test_fine_tuning_starts_from_the_last_weights_of_its_own_pretraining(tmp_path):
    before, after = plan(tmp_path, seeds=(1,), rows=("ssl_finetune",), variants=("held_out",))
    assert before.experiment.objective.name == "mae"
    loaded = after.experiment
    assert loaded.init == before.folder.root / "checkpoints" / "last.safetensors"
    assert (loaded.objective.name, loaded.data.train_on_val, loaded.seed) == ("scratch", False, 1)


def test_stage_can_be_guided_by_the_one_before_it(tmp_path):
    folder = TABLE.config.parent
    stages = (
        Stage(name="cnn", config=folder / "image_light_cnn_cifar10.yaml"),
        Stage(
            name="guided",
            config=folder / "image_guidance_cifar10.yaml",
            weights_as="objective.guidance.teacher",
        ),
    )
    row = TableRow(name="guided", title="guided", stages=stages)
    variants = {"held_out": Variant(about="as it is")}
    changes = {
        "rows": (row,),
        "set": (),
        "variants": variants,
        "data": {"data.root": Path("cifar-10-batches-py")},
    }
    choice = Choice(data=tmp_path, out=tmp_path, epochs=9)
    before, after = make_plan(TABLE.model_copy(update=changes), choice)
    assert before.experiment.model.kind == "light_cnn"
    assert after.experiment.init is None
    teacher = after.experiment.objective.guidance.teacher
    assert teacher == before.folder.root / "checkpoints" / "last.safetensors"


def two_rows_with_one_stage(**changes):
    (row,) = [row for row in TABLE.rows if row.name == "ssl_finetune"]
    before, after = row.stages
    other = row.model_copy(
        update={
            "name": "longer",
            "stages": (
                before.model_copy(update=changes),
                after.model_copy(update={"name": "longer", "epochs": 100}),
            ),
        }
    )
    return TABLE.model_copy(update={"rows": (row, other)})


def test_rows_share_a_stage_that_is_the_same(tmp_path):
    choice = Choice(data=tmp_path, out=tmp_path, epochs=100, variants=("paper",))
    names = [one.folder.root.name for one in make_plan(two_rows_with_one_stage(), choice)]
    assert names == ["ssl_pretrain", "ssl_finetune", "longer"]
    with pytest.raises(
        ConfigError, match="ssl_finetune and longer both have this stage, with other settings"
    ):
        make_plan(two_rows_with_one_stage(epochs=100), choice)


def test_stage_needs_an_epoch():
    (row,) = [row for row in TABLE.rows if row.name == "ssl_finetune"]
    assert shares(TABLE, row, 2) == [1, 1]
    with pytest.raises(ConfigError, match="--epochs 1: the stages of ssl_finetune last 50, 50 of 100"):
        shares(TABLE, row, 1)


def result(seed, variant="paper", row="ssat", changes=(), **values):
    watched = variant == "paper"
    path = [f"seed={seed}", "data.path=x/pneumoniamnist.npz", f"data.train_on_val={str(watched).lower()}"]
    stage = load_experiment(TABLE.config, [*TABLE.set, *TINY, *path, *changes])
    found = {
        "epochs": stage.trainer.epochs,
        "stages": (stage,),
        "best_on_test": 0.9 if watched else None,
        "kept_epochs": (),
        "best_epoch": 3,
        "last": 0.8,
        "chosen": None if watched else 0.75,
        "validation_best": None if watched else 1.0,
        "pictures": 624,
        "cost": Cost(5400.0 + seed, None, None, 1, ()),
        "others": {},
        "curves": {"val_image_accuracy": {1: 0.5, 2: 0.9}, "classification_loss": {1: 0.7, 2: 0.4}},
    }
    return RowResult(variant=variant, row=row, seed=seed, **found | values)


def report(*results, under_way=()):
    return paper_report("table5", TABLE, Results(results, under_way))


def scratch(seed, variant):
    return result(seed, variant, "scratch", ["objective.name=scratch", "objective.classification_weight=1.0"])


@pytest.mark.slow
def test_table_tells_how_each_number_was_chosen():
    made = report(
        result(0),
        result(1, best_on_test=0.94),
        scratch(0, "held_out"),
        under_way=("paper, seed 1: supmae is under way",),
    )
    accuracies, cost = tables(made)
    ssat, from_scratch = (dict(zip(accuracies.headings, row, strict=True)) for row in accuracies.rows)
    # Two values 4 apart: a standard deviation of 4 / sqrt(2).
    assert ssat["ours [95 %]"].startswith("92.00 ± 2.83 [")
    assert (ssat["variant"], ssat["row"], ssat["paper"], ssat["seeds"]) == (
        "paper",
        "ViT-T SSAT",
        "93.11",
        "2 (0, 1)",
    )
    assert from_scratch["ours [95 %]"].startswith("75.00 [")
    assert (from_scratch["variant"], from_scratch["paper"]) == ("held_out", "90.22")
    assert (ssat["best on test"], from_scratch["best on test"]) == ("92.00 ± 2.83", "–")
    assert (ssat["n test"], ssat["last epoch"]) == ("624", "80.00 ± 0.00")
    spent = dict(zip(cost.headings, cost.rows[0], strict=True))
    assert (spent["wall time"], spent["kWh"]) == ("1 h 30 min", "–")
    text = "\n".join(notes(made))
    assert "supmae is under way" in text
    assert "the choice makes that number optimistic" in text
    assert "no target: all: model.patch 7 for 2; " in text
    assert "no target: held_out, scratch, 100 epochs: data.train_on_val False for True" in text
    written = files(made)
    document = json.loads(written["table5.json"])
    assert (len(document["runs"]), len(document["lines"])) == (3, 2)
    assert written["table5.csv"].decode().count("\n") == 3
    for name in ("table5.png", "curves_paper.png", "curves_held_out.png"):
        assert written[name].startswith(b"\x89PNG")


def test_costs_stand_beside_the_papers_where_it_has_them():
    table = load_paper_table(find_paper_table("table3"))
    rows = {row.name: row for row in table.rows}
    assert rows["in1k_ssl_100_100"].paper_cost == PaperCost(gpu_hours=104, kg_co2=10.33)
    assert rows["c10_ssl_100_100"].paper_cost is None
    (line,) = report(result(0)).lines
    row = line.row.model_copy(update={"paper_cost": PaperCost(gpu_hours=78, kg_co2=7.55)})
    made = replace(report(result(0)), lines=(replace(line, row=row), line))
    cost = tables(made)[-1]
    assert cost.headings[-2:] == ("paper, GPU hours", "paper, kg CO₂eq")
    assert [row[-2:] for row in cost.rows] == [("78", "7.55"), ("–", "–")]
    assert "paper, GPU hours" not in tables(report(result(0)))[-1].headings


@pytest.mark.slow
def test_every_departure_from_the_recipe_is_told_and_nothing_else():
    exact = replace(
        result(0),
        stages=(load_experiment(TABLE.config, ["data.path=/elsewhere.npz", "trainer.workers=3"]),),
    )
    (line,) = report(exact).lines
    assert line.departures == ()
    (line,) = report(result(0, changes=["trainer.epochs=8"])).lines
    assert "model.patch 7 for 2" in line.departures
    assert "trainer.epochs 8 for 100" in line.departures
    assert not [one for one in line.departures if one.startswith(("seed", "data.path", "trainer.workers"))]


def test_seeds_that_were_set_otherwise_are_other_lines():
    made = report(result(0), result(1), result(2, changes=["optimizer.weight_decay=0.1"]))
    assert [line.seeds for line in made.lines] == [(0, 1), (2,)]


def test_best_on_test_is_told_of_seeds_that_kept_the_same_epochs():
    one = replace(scratch(0, "held_out"), best_on_test=0.9, kept_epochs=(5, 10))
    other = replace(scratch(1, "held_out"), best_on_test=0.8, kept_epochs=(5, 10))
    (line,) = report(one, other).lines
    assert line.best_on_test.mean == pytest.approx(0.85)
    for unlike in (replace(other, kept_epochs=(10,)), scratch(1, "held_out")):
        (line,) = report(one, unlike).lines
        assert line.best_on_test is None


def test_interval_is_that_of_wilson_over_the_test_pictures():
    (line,) = report(scratch(0, "held_out")).lines
    z, n, p = 1.96, 624, 0.75
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    np.testing.assert_allclose(line.interval, [centre - half, centre + half], atol=1e-4)


def test_time_and_energy_of_all_sessions_and_stages_add_up(tmp_path):
    folders = stage_folders(TABLE, tmp_path, "paper", 0, "ssl_finetune")
    assert [folder.root.relative_to(tmp_path) for folder in folders] == [
        Path("runs/paper/seed0/ssl_pretrain"),
        Path("runs/paper/seed0/ssl_finetune"),
    ]
    first, second = map(cost_file, folders)
    first.parent.mkdir(parents=True)
    sessions = [{"seconds": 10.0, "kwh": 1.0, "kg_co2": 0.1}, {"seconds": 5.0, "kwh": 2.0, "kg_co2": 0.2}]
    first.write_text(json.dumps({"sessions": sessions}))
    second.write_text(json.dumps({"sessions": sessions[:1]}))
    cost = read_cost(folders)
    assert (cost.seconds, cost.kwh, cost.sessions) == (25.0, 4.0, 3)
    second.write_text(json.dumps({"sessions": [{"seconds": 1.0}]}))
    assert read_cost(folders).kwh is None


class OneKilowattHour:
    def __init__(self, country, cpu_watts):
        pass

    def read(self):
        return {"kwh": 0.5, "kg_co2": 0.25}

    def stop(self):
        return {"kwh": 1.0, "kg_co2": 0.5}

    def method(self):
        return "a meter that always says the same"


def test_cost_of_a_killed_session_is_known_up_to_its_last_account(tmp_path, monkeypatch):
    monkeypatch.setattr(costs, "EnergyMeter", OneKilowattHour)
    monkeypatch.setattr(costs, "ACCOUNT_SECONDS", 0.01)
    folder = RunFolder(tmp_path / "run")
    with metered(folder, "USA", None):
        while not cost_file(folder).is_file():
            pass
        # What a kill would leave.
        killed = cost_file(folder).read_text()
    assert json.loads(killed)["sessions"][0]["kwh"] == 0.5
    cost_file(folder).write_text(killed)
    with metered(folder, "USA", None):
        pass
    assert (read_cost([folder]).kwh, read_cost([folder]).sessions) == (1.5, 2)


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
    (tmp_path / "data").mkdir()
    np.savez(tmp_path / "data" / "pneumoniamnist.npz", **arrays)
    return tmp_path / "data"


def run(out, *words, changes=TINY):
    options = [word for change in changes for word in ("--set", change)]
    return CliRunner().invoke(app, ["reproduce", "table5", "--out", str(out), *map(str, words), *options])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "changes", "message"),
    [
        (["--epochs", "1"], TINY, "--epochs 1: the stages of ssl_finetune"),
        (
            ["--rows", "sstt"],
            TINY,
            "--rows sstt: the table has scratch, ssat, ssl_finetune, supmae, ssat_visible, vit_s_scratch",
        ),
        (["--variants", "own"], TINY, "--variants own: the table has paper, held_out"),
        (["--epochs", "2"], (*TINY, "optimizer.speed=1"), "optimizer.speed is no key"),
        (["--epochs", "2"], (*TINY, "model.patch=5"), "not a multiple of patch 5"),
        (["--data", "nowhere", "--rows", "ssat"], TINY, "no such file"),
    ],
)
def test_wrong_settings_are_one_line_before_anything_is_trained(tmp_path, pictures, words, changes, message):
    found = run(tmp_path / "out", "--data", pictures, *words, changes=changes)
    assert found.exit_code == 2
    assert message in found.stderr
    assert found.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_data_are_asked_for_and_tables_named(tmp_path):
    found = run(tmp_path / "out")
    assert found.exit_code == 2
    assert "--data is missing: give the folder with pneumoniamnist.npz, chaoyang, or" in found.stderr
    with pytest.raises(ConfigError, match=r"table99: is no table of configs/paper \(there are: .*table5"):
        find_paper_table("table99")


@pytest.mark.parametrize(
    ("before", "after", "answer"),
    [
        ("title: SSAT", "titel: SSAT", r"own\.yaml: rows\.1\.title: Field required"),
        ("name: ssat\n", "name: scratch\n", r"own\.yaml: rows: scratch is there twice"),
        ("data.train_on_val=true]", "data.train_on_val]", r"own\.yaml: .*write section\.key=value"),
    ],
)
def test_wrong_table_is_one_line(tmp_path, before, after, answer):
    text = find_paper_table("table5").read_text()
    assert before in text
    (tmp_path / "own.yaml").write_text(text.replace(before, after))
    with pytest.raises(ConfigError, match=answer):
        load_paper_table(tmp_path / "own.yaml")


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", sorted(find_paper_table("table5").parent.glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_table_has_its_papers_numbers_and_plans_its_runs(path, tmp_path):
    table = load_paper_table(path)
    text = path.read_text()
    assert f"deepfake-ssat reproduce {path.stem} --data FOLDER --out DIR" in text
    assert all(10 < row.paper < 100 for row in table.rows if row.paper is not None)
    assert any(row.paper for row in table.rows)
    whole = make_plan(table, Choice(data=tmp_path, out=tmp_path, epochs=table.epochs))
    assert {one.folder.root.name for one in whole} == {
        stage.name for row in table.rows for stage in row.trainings
    }
    small = make_plan(table, Choice(data=tmp_path, out=tmp_path, epochs=2, smoke=True))
    assert all(one.experiment.trainer.epochs <= 2 for one in small)


def test_pre_training_is_run_once_for_the_rows_that_start_from_it(tmp_path):
    table = load_paper_table(find_paper_table("table3"))
    trainings = make_plan(table, Choice(data=tmp_path, out=tmp_path, epochs=100))
    names = [one.folder.root.name for one in trainings]
    assert [name for name in names if name.startswith("c10_pre")] == ["c10_pretrain_50", "c10_pretrain_100"]
    longest = trainings[names.index("c10_ssl_50_100")].experiment
    assert longest.init.parts[-3:] == ("c10_pretrain_50", "checkpoints", "last.safetensors")
    assert longest.trainer.epochs == 100


@pytest.mark.slow
@pytest.mark.parametrize("name", ["table1", "table5", "table6", "figure5"])
def test_made_up_pictures_are_read_as_the_official_files(tmp_path, name):
    trainings = reproduce.plan_reproduction(name, None, tmp_path, smoke=True).trainings
    sources = {str(one.experiment.data): one.experiment for one in trainings}
    for experiment in sources.values():
        for split in ("train", "val", "test"):
            pictures = image_dataset(experiment.data, split, 32, None, 0)
            assert len(pictures.class_names) == experiment.model.num_classes
            assert max(pictures.labels) < experiment.model.num_classes


COLUMNS = {
    "title": "own",
    "source": "a test",
    "config": "../image_ssat_cifar10.yaml",
    "epochs": 100,
    "variants": {"held_out": {"about": "chosen on validation pictures"}},
    "columns": {
        "C10": {"prefix": "c10", "data": {"data.root": "cifar-10-batches-py"}},
        "C10-p": {"prefix": "c10", "perspective": 0.5, "data": {"data.root": "cifar-10-batches-py"}},
        "C100": {"prefix": "c100", "config": "../image_ssat_cifar100.yaml", "set": ["model.num_classes=100"]},
    },
    "rows": [
        {"name": "ssat", "title": "SSAT", "paper": {"C10": 90, "C10-p": 50, "C100": None}},
        {
            "name": "ssl",
            "title": "SSL",
            "paper": {"C10": 80, "C100": 70},
            "stages": [{"name": "before", "common": True, "epochs": 50}, {"name": "ssl", "epochs": 50}],
        },
    ],
}


def own_table(folder, **changes):
    (folder / "own.yaml").write_text(yaml.safe_dump(COLUMNS | changes))
    return load_paper_table(folder / "own.yaml")


def test_row_of_several_columns_is_a_row_of_each(tmp_path):
    table = own_table(tmp_path)
    assert [(row.name, row.column, row.paper, row.perspective) for row in table.rows] == [
        ("c10_ssat", "C10", 90, None),
        ("c10_ssl", "C10", 80, None),
        ("c10_ssat_p", "C10-p", 50, 0.5),
        ("c100_ssat", "C100", None, None),
        ("c100_ssl", "C100", 70, None),
    ]
    by_name = {row.name: row for row in table.rows}
    # What is judged in perspective is not trained again; what is common is not trained for each column.
    assert by_name["c10_ssat_p"].trainings == by_name["c10_ssat"].trainings
    assert [stage.name for stage in by_name["c100_ssl"].trainings] == ["before", "c100_ssl"]
    assert by_name["c10_ssl"].trainings[0] == by_name["c100_ssl"].trainings[0]
    last = by_name["c100_ssl"].trainings[1]
    assert (last.set, last.config.name) == (("model.num_classes=100",), "image_ssat_cifar100.yaml")
    assert by_name["c10_ssat"].trainings[0].config is None


def test_row_of_a_column_that_is_not_there_is_one_line(tmp_path):
    row = {"name": "ssat", "title": "SSAT", "paper": {"C11": 90}}
    with pytest.raises(ConfigError, match="column C11 of ssat is not there; columns are C10, C10-p, C100"):
        own_table(tmp_path, rows=[row])


def test_table_2_trains_once_for_pictures_as_they_are_and_in_perspective(tmp_path):
    table = load_paper_table(find_paper_table("table2"))
    names = [one.folder.root.name for one in make_plan(table, Choice(tmp_path, tmp_path, 100))]
    assert len(names) == len(set(names)) == 8
    assert {row.perspective for row in table.rows if row.column.endswith("-p")} == {0.5}


@pytest.mark.slow
def test_table_8_holds_each_manipulation_out_and_starts_from_dfdc(tmp_path):
    table = load_paper_table(find_paper_table("table8"))
    trainings = {one.folder.root.name: one for one in make_plan(table, Choice(tmp_path, tmp_path, 200))}
    folds = [row for row in table.rows if row.name.endswith("_ssat_075") and len(row.trainings) == 2]
    assert [row.judged.manipulations for row in folds] == [(name,) for name in MANIPULATIONS]
    for row, held_out in zip(folds, MANIPULATIONS, strict=True):
        experiment = trainings[row.trainings[-1].name].experiment
        for selection in (experiment.data.train, experiment.data.val):
            assert set(selection.manipulations) == set(MANIPULATIONS) - {held_out}
            assert selection.compressions == ("c23",)
        assert experiment.data.manifest == tmp_path / "ffpp" / "manifest.csv"
        assert experiment.init == trainings["dfdc_ssat_075"].folder.best
        paper = TABLE_8["video_ffpp_ssat_075"].accuracy(held_out)
        assert row.paper == paper
    assert trainings["dfdc_ssat_075"].experiment.data.manifest == tmp_path / "dfdc" / "manifest.csv"
    zero_shot = [row for row in table.rows if row.name.startswith("zero_shot") and row.paper is not None]
    assert len(zero_shot) == 5 * 4
    assert all(stage.common for row in zero_shot for stage in row.trainings)
    budgets = {
        row.name: sum(trainings[stage.name].experiment.trainer.epochs for stage in row.trainings)
        for row in table.rows
    }
    assert budgets["Deepfakes_ssl_075"] == 900
    assert budgets["Deepfakes_ssl_075_budget"] == budgets["Deepfakes_ssat_075"] == 200


@pytest.mark.slow
@pytest.mark.parametrize("mask", ["075", "095"])
def test_table_8_with_ssats_recipe_differs_in_what_is_compared_alone(mask):
    table = load_paper_table(find_paper_table("table8"))
    rows = {row.name: row for row in table.rows}
    pretrain, on_dfdc, last = recipe(table, rows[f"Deepfakes_ssl_{mask}_budget"])
    ssat_on_dfdc, ssat = recipe(table, rows[f"Deepfakes_ssat_{mask}"])
    order = {"init", "trainer.epochs", "trainer.validate_every_epochs"}
    task = {"objective.name", "objective.classification_weight"}
    flips = {"augmentation.name", "optimizer.betas"}
    for stage, other, expected in (
        (pretrain, ssat_on_dfdc, order | task | flips),
        (on_dfdc, ssat_on_dfdc, order | task | {"objective.mask_ratio"}),
        (last, ssat, order | task | {"objective.mask_ratio"}),
    ):
        sides = (one.model_dump(mode="json") for one in (stage, other))
        assert {one.key for one in setting_differences(*sides)} <= expected


@pytest.mark.slow
def test_sets_of_other_sizes_than_table_9_are_told(tmp_path):
    reproduce.plan_reproduction("table12", None, tmp_path, smoke=True)
    planned = reproduce.plan_reproduction(
        "table12",
        tmp_path / "made_up",
        tmp_path / "out",
        rows=("c10_heads_1",),
        changes=("data.val_images=9",),
    )
    assert planned.doubts == (
        "CIFAR-10: 800 training and 160 test pictures here, 50000 and 10000 in table 9: this is not the "
        "paper's set",
    )


@pytest.mark.slow
def test_tiny_table_from_end_to_end(tmp_path, pictures, monkeypatch):
    out = tmp_path / "out"
    monkeypatch.setattr(costs, "EnergyMeter", OneKilowattHour)
    words = ["--data", pictures, "--epochs", "2", "--seeds", "3", "--rows", "ssl_finetune"]
    words += ["--variants", "held_out"]
    train = reproduce.train_experiment

    def killed(experiment, root, console):
        if root.name == "ssl_finetune":
            raise MemoryError("killed")
        return train(experiment, root, console)

    monkeypatch.setattr(reproduce, "train_experiment", killed)
    assert isinstance(run(out, *words).exception, MemoryError)
    assert "held_out, seed 3: ssl_finetune is under way" in run(out, "--merge-only", changes=()).stdout

    monkeypatch.setattr(reproduce, "train_experiment", train)
    assert run(out, *words).exit_code == 0
    folder = out / "runs" / "held_out" / "seed3"
    sessions = {
        file.name: len(json.loads(file.read_text())["sessions"]) for file in folder.glob("*.cost.json")
    }
    assert sessions == {"ssl_pretrain.cost.json": 1, "ssl_finetune.cost.json": 2}
    table = json.loads((out / "table5.json").read_text())
    (line,) = table["lines"]
    assert "trainer.epochs 1 for 50" in line["departures"]
    assert "model.patch 7 for 2" in line["departures"]
    assert "trainer.validate_every_epochs 1 for 5 in ssl_pretrain" in line["departures"]
    assert not any("positions" in departure for departure in line["departures"])
    assert (line["row"], line["epochs"], line["seeds"], line["pictures"]) == ("ssl_finetune", 2, [3], 10)
    assert line["best_on_test"] is None
    assert 10 * line["chosen"]["mean"] in range(11)
    assert line["seconds"] > 0
    assert (line["kwh"], line["kg_co2"]) == (3.0, 1.5)
    assert len(line["multiply_adds"]) == 2

    monkeypatch.setattr(reproduce, "train_experiment", None)
    assert run(out, *words).exit_code == 0
    refused = run(out, *words, "--epochs", "4")
    assert refused.exit_code == 2
    assert "was started with" in refused.stderr

    # Seeds of several machines: their folders are copied together, without data or weights.
    other = tmp_path / "merged" / "runs" / "held_out"
    for seed in (3, 4):
        _copy_without_weights(folder, other / f"seed{seed}")
    assert run(tmp_path / "merged", "--merge-only", changes=()).exit_code == 0
    (line,) = json.loads((tmp_path / "merged" / "table5.json").read_text())["lines"]
    assert line["seeds"] == [3, 4]

    # A row whose first stage stayed behind is told, and takes none of the others with it.
    shutil.rmtree(other / "seed4" / "ssl_pretrain")
    merged = run(tmp_path / "merged", "--merge-only", changes=())
    assert merged.exit_code == 0
    assert "seed 4: ssl_finetune cannot be told without the folder of its stage ssl_pretrain; copy it" in (
        " ".join(merged.stdout.split())
    )
    (line,) = json.loads((tmp_path / "merged" / "table5.json").read_text())["lines"]
    assert line["seeds"] == [3]


@pytest.mark.slow
def test_epochs_whose_weights_were_kept_are_scored_on_test_beside_the_chosen_one(
    tmp_path, pictures, monkeypatch
):
    monkeypatch.setattr(costs, "EnergyMeter", OneKilowattHour)
    words = ["--data", pictures, "--epochs", "4", "--rows", "scratch", "--variants", "held_out"]
    keep = "trainer.keep_every_epochs=2"
    assert run(tmp_path / "out", *words, changes=(*TINY, keep)).exit_code == 0
    seed = tmp_path / "out" / "runs" / "held_out" / "seed0"
    folder = RunFolder(seed / "scratch")
    assert folder.kept_epochs == [2, 4]
    assert load_checkpoint(folder.kept(2)).metrics["epoch"] == 2
    assert folder.kept(4).read_bytes() == folder.last.read_bytes()
    # Of a folder that was removed and trained anew the old scores are none.
    (seed / "scratch.test.json").write_text("{}")
    shutil.rmtree(folder.root)
    assert run(tmp_path / "out", *words, changes=(*TINY, keep)).exit_code == 0
    scores = json.loads((seed / "scratch.test.json").read_text())
    assert [score["epoch"] for score in scores["kept"]] == [2, 4]
    assert scores["kept"][1] == scores["last"]
    (listed,) = json.loads((tmp_path / "out" / "table5.json").read_text())["runs"]
    assert listed["kept_epochs"] == [2, 4]

    for name, correct in (("best", 6), ("last", 5)):
        scores[name]["correct"] = correct
    for score, correct in zip(scores["kept"], (8, 5), strict=True):
        score["correct"] = correct
    (seed / "scratch.test.json").write_text(json.dumps(scores))
    assert run(tmp_path / "out", "--merge-only", changes=()).exit_code == 0
    (line,) = json.loads((tmp_path / "out" / "table5.json").read_text())["lines"]
    found = [line[name]["mean"] for name in ("chosen", "last", "best_on_test")]
    assert found == [0.6, 0.5, 0.8]
    assert not any("keep_every_epochs" in departure for departure in line["departures"])


def _copy_without_weights(source, target):
    for file in source.rglob("*"):
        if file.is_file() and file.suffix != ".safetensors":
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(file.read_bytes())


@pytest.mark.slow
def test_table_4_under_smoke_on_made_up_pictures(tmp_path, monkeypatch):
    monkeypatch.setattr(costs, "EnergyMeter", OneKilowattHour)
    words = ["reproduce", "table4", "--smoke", "--out", str(tmp_path), "--rows", "c10_mae"]
    words += ["--set", "trainer.workers=0", "--set", "trainer.threads=1"]
    found = CliRunner().invoke(app, words)
    assert found.exit_code == 0, found.output
    (line,) = json.loads((tmp_path / "table4.json").read_text())["lines"]
    assert (line["row"], line["paper"], line["epochs"], line["pictures"]) == ("c10_mae", 91.65, 2, 160)
    assert "made up here" in (tmp_path / "table4.md").read_text()


@pytest.mark.slow
def test_table_8_under_smoke_from_dfdc_to_the_manipulation_held_out(tmp_path, monkeypatch):
    monkeypatch.setattr(costs, "EnergyMeter", OneKilowattHour)
    small = ["model.image_size=32", "model.encoder.depth=1", "trainer.workers=0", "trainer.threads=1"]
    words = ["reproduce", "table8", "--smoke", "--out", str(tmp_path)]
    words += ["--rows", "Deepfakes_ssat_075", "--rows", "zero_shot_FaceSwap_ssat_075"]
    found = CliRunner().invoke(app, [*words, *(word for one in small for word in ("--set", one))])
    assert found.exit_code == 0, found.output
    table = json.loads((tmp_path / "table8.json").read_text())
    lines = {line["row"]: line for line in table["lines"]}
    assert {"Deepfakes_ssat_075", "zero_shot_FaceSwap_ssat_075"} <= set(lines)
    held_out, zero_shot = lines["Deepfakes_ssat_075"], lines["zero_shot_FaceSwap_ssat_075"]
    # Two originals and two fakes of the manipulation in the test split.
    assert (held_out["pictures"], zero_shot["pictures"]) == (4, 4)
    assert (held_out["epochs"], zero_shot["epochs"]) == (4, 2)
    assert (held_out["paper"], zero_shot["paper"]) == (96.75, 88.17)
    assert set(held_out["others"]) == {"video AUC", "accuracy at the validation threshold"}
    assert "video accuracy at 0.5 (%)" in (tmp_path / "table8.md").read_text()
