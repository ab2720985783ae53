"""The calls behind SSAT against scratch on deepfakes: equal pictures, nested parts, one set of judges."""

import csv
from pathlib import Path

import pytest
import ssat_on_deepfakes as tool

from deepfake_ssat.config import load_experiment


@pytest.fixture
def calls(monkeypatch):
    """The verbs that would run."""
    noted = []
    monkeypatch.setattr(tool, "run_verb", lambda *words: noted.append(list(map(str, words))))
    return noted


@pytest.fixture
def crops(tmp_path):
    """A manifest of 400 originals with a fake each, an eighth of them to validate."""
    folder = tmp_path / "crops"
    folder.mkdir()
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["video_id", "split", "group"])
        for number in range(400):
            split = "val" if number % 8 == 0 else "train"
            writer.writerows([[f"real{number}", split, f"g{number}"], [f"fake{number}", split, f"g{number}"]])
    return folder


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_smaller_parts_lie_within_larger_ones_and_hold_each_original_with_its_fake(crops):
    kept = {part: rows_of(tool.part_of(crops, part)) for part in (0.1, 0.4)}
    names = {part: {row["video_id"] for row in rows} for part, rows in kept.items()}
    assert names[0.1] < names[0.4]
    for part, rows in kept.items():
        assert sum(row["split"] == "val" for row in rows) == 100
        training = [row for row in rows if row["split"] == "train"]
        assert len(training) / 700 == pytest.approx(part, abs=0.06)
        assert {row["video_id"][4:] for row in training[::2]} == {
            row["video_id"][4:] for row in training[1::2]
        }
    assert tool.part_of(crops, 1.0) == crops


def test_methods_share_the_epochs_alike_and_each_stage_goes_on(calls, tmp_path):
    for method in tool.METHODS:
        calls.clear()
        best = tool.train(method, ["seed=3"], 20, tmp_path / method.name)
        changes = [[words[at + 1] for at, word in enumerate(words) if word == "--set"] for words in calls]
        stages = [load_experiment(Path(words[1]), own) for words, own in zip(calls, changes, strict=True)]
        assert sum(stage.trainer.epochs for stage in stages) == 20
        assert [stage.seed for stage in stages] == [3] * len(stages)
        assert [stage.objective.name for stage in stages] == {
            "scratch": ["scratch"],
            "ssat": ["ssat"],
            "mae": ["mae", "scratch"],
            "supmae": ["supmae", "scratch"],
        }[method.name]
        outs = [Path(words[words.index("--out") + 1]) for words in calls]
        last = [out / "checkpoints/last.safetensors" for out in outs]
        assert [stage.init for stage in stages] == [None, *last][: len(stages)]
        assert best == outs[-1] / "checkpoints/best.safetensors"
        assert len({stage.model.model_dump_json() for stage in stages}) == 1


def test_all_are_judged_on_the_same_and_compared_by_part(calls, crops, tmp_path, monkeypatch):
    argv = ["x", str(tmp_path / "out"), "--dfdc", str(crops), "--ffpp", "clips", "--parts", "0.1"]
    monkeypatch.setattr("sys.argv", [*argv, "--methods", "scratch", "ssat"])
    tool.main()
    judged = [words[2:-1] for words in calls if words[0] == "evaluate"]
    assert len(judged) == 8
    assert len({tuple(words) for words in judged}) == 2
    compared = [words[1:5] for words in calls if words[0] == "compare"]
    assert [[Path(word).parts[-2:] for word in words] for words in compared] == [
        [(f"{method}_seed{seed}", corpus) for method in ("scratch", "ssat") for seed in (0, 1)]
        for corpus in ("dfdc", "ffpp")
    ]


def test_part_beyond_the_whole_is_refused(crops):
    with pytest.raises(SystemExit, match="--parts 2 must lie above 0"):
        tool.part_of(crops, 2)
