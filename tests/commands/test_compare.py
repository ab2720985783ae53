"""compare end to end: folders of evaluate and of cross-manipulation, seeds grouped, refusals in one line."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from deepfake_ssat.cli import app
from deepfake_ssat.commands import compare
from deepfake_ssat.errors import ConfigError, OutputError
from deepfake_ssat.evaluation.pictures import ClassResult, PictureReport, ScoredPicture
from deepfake_ssat.protocols.results import JudgedVideo, fold_json
from deepfake_ssat.records import Estimate
from deepfake_ssat.reporting import picture_report
from deepfake_ssat.reporting.documents import write_files
from deepfake_ssat.reporting.evaluation_report import report_json, videos_csv
from tests.protocols.fold_results import fold_result
from tests.reporting.evaluations import make_report, scored_video

TWO = ("Deepfakes", "FaceSwap")


def write_evaluation(folder, strength, seed=0, method="ssat", per_class=40, **trainer):
    """What evaluate would have written for a method whose fakes score higher by so much."""
    shared = np.random.default_rng(0).normal(0, 0.1, 2 * per_class)
    own = np.random.default_rng([seed, round(100 * strength)]).normal(0, 0.04, 2 * per_class)
    videos = []
    for number, noise in enumerate(shared + own):
        label = int(number >= per_class)
        score = float(np.clip(0.5 + noise + strength * (label - 0.5), 0, 1))
        videos.append(scored_video(f"video{number}", label, [score]))
    report = make_report(videos, threshold=0.5)
    config = {
        "seed": seed,
        "model": {"name": method},
        "data": {"manifest": f"/at/{seed}"},
        "trainer": trainer,
    }
    facts = report.provenance["checkpoint"]
    checkpoint = {**facts, "sha256": f"{method}{seed}", "provenance": {"config": config}}
    report = replace(report, provenance={**report.provenance, "checkpoint": checkpoint})
    write_files(folder, {"videos.csv": videos_csv(report), "report.json": report_json(report)})
    return folder


def write_folds(folder, shift=0.0, seed=3, per_class=60, settings=None):
    """What cross-manipulation would have written for two manipulations."""
    for held_out in TWO:
        fold = fold_result(
            held_out,
            per_class=per_class,
            manipulations=TWO,
            unofficial="a test",
            settings={"seed": seed, **(settings or {})},
        )
        generator = np.random.default_rng(seed)
        videos = tuple(
            JudgedVideo(
                video.name,
                video.label,
                float(np.clip(video.probability + shift * video.label + generator.normal(0, 0.02), 0, 1)),
            )
            for video in fold.videos
        )
        path = folder / "folds" / held_out / "fold.json"
        path.parent.mkdir(parents=True)
        changed = replace(fold, videos=videos, checkpoint_sha256=f"{seed}{shift}{held_out}")
        path.write_text(fold_json(changed))
    return folder


def _lines(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_evaluations_are_compared_and_seeds_grouped(tmp_path):
    folders = [write_evaluation(tmp_path / f"ssat{seed}", 0.4, seed) for seed in (1, 2, 3)]
    folders += [write_evaluation(tmp_path / "scratch", 0.1, 1, "scratch")]
    assert compare.run(folders, tmp_path / "out") == 0
    methods = [line for line in _lines(tmp_path / "out/methods.csv") if line["metric"] == "auc"]
    assert [(line["method"], line["runs"], line["seeds"]) for line in methods] == [
        ("ssat1", "3", "1;2;3"),
        ("scratch", "1", "1"),
    ]
    assert float(methods[0]["standard_deviation"]) > 0
    assert methods[1]["standard_deviation"] == ""
    document = json.loads((tmp_path / "out/comparison.json").read_text())
    assert {entry["conclusion"] for entry in document["differences"]} == {"ssat1 is better"}
    assert len(document["runs"]) == 4
    assert "ssat1 is better" in (tmp_path / "out/comparison.md").read_text()


@pytest.mark.slow
def test_names_say_what_belongs_together(tmp_path):
    folders = [write_evaluation(tmp_path / f"run{seed}", 0.4, seed) for seed in (1, 2)]
    named = [f"joint={folders[0]}", f"other={folders[1]}"]
    assert compare.run(named, tmp_path / "out") == 0
    assert {line["method"] for line in _lines(tmp_path / "out/methods.csv")} == {"joint", "other"}
    third = write_evaluation(tmp_path / "third", 0.3, 5, "another")
    assert compare.run([f"joint={one}" for one in folders] + [f"x={third}"], tmp_path / "two") == 0
    runs = {line["method"]: line["runs"] for line in _lines(tmp_path / "two/methods.csv")}
    assert runs == {"joint": "2", "x": "1"}


def test_runs_of_other_lengths_are_no_seeds_of_one_method(tmp_path):
    folders = [
        write_evaluation(tmp_path / f"ssat{epochs}", 0.4, seed, epochs=epochs, workers=seed)
        for seed, epochs in enumerate((1, 100))
    ]
    assert compare.run(folders, tmp_path / "out") == 0
    assert {line["method"] for line in _lines(tmp_path / "out/methods.csv")} == {"ssat1", "ssat100"}
    text = (tmp_path / "out/comparison.md").read_text()
    assert "| trainer.epochs | 1 | 100 |" in text
    assert "trainer.workers" not in text
    document = json.loads((tmp_path / "out/comparison.json").read_text())
    assert document["recipes"] == [{"key": "trainer.epochs", "values": {"ssat1": [1], "ssat100": [100]}}]


@pytest.mark.slow
def test_runs_that_were_named_alike_are_doubted_where_they_differ(tmp_path):
    folders = [write_evaluation(tmp_path / f"run{n}", 0.4, n, epochs=n) for n in (1, 2)]
    other = write_evaluation(tmp_path / "other", 0.1, 1, "scratch", epochs=1)
    named = [*(f"ssat={folder}" for folder in folders), f"scratch={other}"]
    assert compare.run(named, tmp_path / "out") == 0
    text = (tmp_path / "out/comparison.md").read_text()
    assert "the runs of ssat differ in more than the seed: trainer.epochs 1, 2" in text
    assert "| model.name | ssat | scratch |" in text


def test_same_seed_twice_is_two_methods(tmp_path):
    folders = [write_evaluation(tmp_path / name, 0.4, 1) for name in ("best", "last")]
    assert compare.run(folders, tmp_path / "out") == 0
    assert {line["method"] for line in _lines(tmp_path / "out/methods.csv")} == {"best", "last"}


@pytest.mark.slow
def test_cross_manipulation_is_compared_on_each_held_out_method(tmp_path, capsys):
    folders = [write_folds(tmp_path / f"seed{seed}", seed=seed) for seed in (1, 2)]
    folders += [write_folds(tmp_path / "better", 0.4, settings={"mask": 0.9})]
    assert compare.run(folders, tmp_path / "out") == 0
    assert (tmp_path / "out/table.md").is_file()
    differences = [line for line in _lines(tmp_path / "out/differences.csv") if line["metric"] == "auc"]
    assert [line["videos"] for line in differences] == list(TWO)
    assert all(line["conclusion"].endswith("(better) is better") for line in differences)
    methods = [line for line in _lines(tmp_path / "out/methods.csv") if line["metric"] == "auc"]
    assert sorted({line["runs"] for line in methods}) == ["1", "2"]
    assert "± " in capsys.readouterr().out


def test_one_folder_of_folds_is_a_table_alone(tmp_path):
    assert compare.run([write_folds(tmp_path / "one")], tmp_path / "out") == 0
    assert (tmp_path / "out/table.md").is_file()
    assert not (tmp_path / "out/comparison.md").exists()


@pytest.mark.slow
def test_what_cannot_be_compared_is_refused(tmp_path):
    one = write_evaluation(tmp_path / "one", 0.4)
    folds = write_folds(tmp_path / "folds_of_two")
    with pytest.raises(ConfigError, match="is one result; give at least two"):
        compare.run([one], tmp_path / "out")
    with pytest.raises(ConfigError, match=r"holds no report\.json of evaluate"):
        compare.run([one, folds], tmp_path / "out")
    with pytest.raises(OutputError, match="is the input"):
        compare.run([one, write_evaluation(tmp_path / "other", 0.3)], one)
    with pytest.raises(ConfigError, match="holds no finished fold"):
        compare.run([tmp_path / "nothing"], tmp_path / "out")
    (one / "videos.csv").write_text("corpus\nffpp\n")
    with pytest.raises(ConfigError, match="cannot be read as a result of evaluate"):
        compare.run([one, write_evaluation(tmp_path / "two", 0.3)], tmp_path / "out")


def write_pictures(folder, right, seed=0, method="ssat", warnings=(), names=("sick", "well"), **scoring):
    """What evaluate would have written of pictures, of which so many are told right."""
    half = Estimate(0.5)
    pictures = tuple(
        ScoredPicture(
            f"test/{number}", label, label if number < right else names[number % 2 - 1], 0.9, None, rank
        )
        for number, rank in enumerate([1] * right + [2] * (60 - right))
        for label in (names[number % 2],)
    )
    checkpoint = {
        "path": "best.safetensors",
        "sha256": f"{method}{seed}",
        "provenance": {"config": {"seed": seed, "model": {"name": method}}},
    }
    facts = {
        "command": "evaluate",
        "checkpoint": checkpoint,
        "data": {"kind": "npz", "path": "a.npz"},
        "scoring": {"split": "test", "perspective": None, "seed": 0, **scoring},
    }
    classes = tuple(ClassResult(name, 30, half) for name in names)
    report = PictureReport(
        facts, half, Estimate(None, note="two classes"), half, classes, pictures, None, warnings
    )
    write_files(folder, picture_report.files(report))
    return folder


def test_evaluations_of_pictures_are_compared(tmp_path, capsys):
    folders = [write_pictures(tmp_path / f"ssat{seed}", 55 + seed, seed) for seed in (1, 2)]
    folders += [write_pictures(tmp_path / "scratch", 30, 1, "scratch", ("these pictures chose it",))]
    assert compare.run(folders, tmp_path / "out") == 0
    methods = _lines(tmp_path / "out/methods.csv")
    assert [(line["method"], line["metric"], line["runs"]) for line in methods] == [
        ("ssat1", "top1", "2"),
        ("scratch", "top1", "1"),
        ("ssat1", "auc", "2"),
        ("scratch", "auc", "1"),
    ]
    assert float(methods[0]["mean"]) == pytest.approx(56.5 / 60)
    differences = _lines(tmp_path / "out/differences.csv")
    assert [line["metric"] for line in differences] == ["top1", "auc"]
    assert {line["conclusion"] for line in differences} == {"ssat1 is better"}
    document = json.loads((tmp_path / "out/comparison.json").read_text())
    assert document["pictures"] == [{"column": "", "classes": {"sick": 30, "well": 30}, "left_out": 0}]
    assert "videos" not in document
    text = (tmp_path / "out/comparison.md").read_text()
    assert "| model.name | ssat | scratch |" in text
    assert "60 pictures, judged by every run" in text
    assert "p of AUC: DeLong's test, of accuracies: sign flips of each picture's difference" in text
    assert "video" not in text
    assert "warning: " + str(tmp_path / "scratch") + ": these pictures chose it" in text
    assert "top-1 accuracy" in capsys.readouterr().out


def test_pictures_that_cannot_be_compared_are_refused(tmp_path):
    plain = write_pictures(tmp_path / "plain", 50)
    turned = write_pictures(tmp_path / "turned", 40, perspective=0.5)
    with pytest.raises(
        ConfigError, match=r"turned: is of npz, split test, perspective 0\.5, seed 0, .*plain of"
    ):
        compare.run([plain, turned], tmp_path / "out")
    with pytest.raises(ConfigError, match=r"of videos, .*plain one of pictures"):
        compare.run([plain, write_evaluation(tmp_path / "videos", 0.3)], tmp_path / "out")
    others = write_pictures(tmp_path / "others", 40, names=("well", "sick"))
    with pytest.raises(ConfigError, match=r"others: has classes well, sick, .*plain sick, well"):
        compare.run([plain, others], tmp_path / "out")
    (turned / "pictures.csv").write_text("name,label\ntest/0,sick\n")
    with pytest.raises(ConfigError, match="turned: cannot be read as a result of evaluate"):
        compare.run([plain, turned], tmp_path / "out")


@pytest.mark.slow
def test_command_line(tmp_path):
    folders = [write_evaluation(tmp_path / name, 0.4, seed) for seed, name in enumerate(("a", "b"))]
    result = CliRunner().invoke(
        app, ["compare", f"x={folders[0]}", f"y={folders[1]}", "--out", str(tmp_path / "out")]
    )
    assert result.exit_code == 0
    assert "x − y" in (tmp_path / "out/comparison.md").read_text()
