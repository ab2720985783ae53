"""The calls that make the default weights: which data, which stages, one after the other."""

import csv
from pathlib import Path

import pytest
import train_default_weights as pipeline

from deepfake_ssat.config import load_experiment


@pytest.fixture
def calls(monkeypatch):
    """The verbs that would run."""
    noted = []
    monkeypatch.setattr(
        pipeline, "run_verb", lambda *words, launcher=None: noted.append((list(map(str, words)), launcher))
    )
    return noted


@pytest.fixture
def clips(tmp_path):
    """Folders as ``preprocess`` leaves them, by source."""
    folders = {}
    for name in ("genuine", "photos", "ffpp", "dfdc"):
        folders[name] = tmp_path / "clips" / name
        folders[name].mkdir(parents=True)
        (folders[name] / "manifest.csv").write_text("video_id,split,label\na,train,0\nb,train,1\n")
    return {**folders, "originals": folders["ffpp"] / "originals.csv"}


def changes(words):
    return [words[place + 1] for place, word in enumerate(words) if word == "--set"]


def test_every_stage_starts_from_the_one_before_and_reads_its_sources(calls, clips, tmp_path):
    final = pipeline.train_all(clips, tmp_path / "start.safetensors", tmp_path / "out", processes=1)
    assert [words[0] for words, _ in calls] == ["train"] * 4
    assert [launcher for _, launcher in calls] == [[]] * 4
    stages = [load_experiment(Path(words[1]), changes(words)) for words, _ in calls]
    outs = [words[words.index("--out") + 1] for words, _ in calls]
    starts = [str(tmp_path / "start.safetensors"), *(f"{out}/checkpoints/best.safetensors" for out in outs)]
    assert [str(stage.init) for stage in stages] == starts[:-1]
    assert str(final) == starts[-1]
    assert [stage.model.kind for stage in stages] == ["frame_model"] * 2 + ["masked_autoencoder"] * 2
    assert [stage.model.image_size for stage in stages] == [192, 224, 224, 224]
    assert [stage.optimizer.flat_part for stage in stages] == [1.0, 0.0, 0.0, 0.0]
    moving = ["ffpp", "genuine", "originals"]
    assert [sorted(stage.data.sources) for stage in stages] == [["dfdc", *moving, "photos"]] * 3 + [moving]
    for stage in stages:
        for name, source in stage.data.sources.items():
            assert source.manifest == clips[name]
            assert (source.pseudo_fakes is not None) == (source.pairs == "none")


def test_processes_share_the_batch(calls, clips, tmp_path):
    pipeline.train_all(clips, tmp_path / "start.safetensors", tmp_path / "out", processes=2)
    for words, launcher in calls:
        whole = load_experiment(Path(words[1])).optimizer.batch_size
        assert load_experiment(Path(words[1]), changes(words)).optimizer.batch_size == whole // 2
        assert launcher[-2:] == ["--nproc-per-node", 2]


def test_data_of_several_folders_are_one(calls, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for root, name in ((first, "183"), (second, "033")):
        folder = root / "FaceForensics++/original_sequences/youtube/c23/videos"
        folder.mkdir(parents=True)
        (folder / f"{name}.mp4").write_bytes(b"x")
    (first / "manifest.csv").write_text("path,label,identity\nreal_videos/a.mp4,real,somebody\n")
    (second / "fetched.csv").write_text("path,label\n")
    (second / "real_videos/eamm").mkdir(parents=True)
    (second / "real_videos/eamm/anger.mp4").write_bytes(b"x")
    (tmp_path / "clips/ffpp").mkdir(parents=True)
    (tmp_path / "clips/ffpp/manifest.csv").write_text("video_id,label\n183,0\n183_253,1\n")
    clips = pipeline.preprocess_all([first, second], tmp_path / "clips")
    assert clips["originals"].read_text().split()[1:] == ["183,0"]
    assert sorted(clips) == ["dfdc", "ffpp", "genuine", "originals", "photos"]
    linked = sorted(path.name for path in (tmp_path / "clips/ffpp_videos").rglob("*.mp4"))
    assert linked == ["033.mp4", "183.mp4"]
    with (tmp_path / "clips/genuine.csv").open() as file:
        assert [row["identity"] for row in csv.DictReader(file)] == ["somebody", "eamm_"]
    crops = next(words for words, _ in calls if "--crops" in words)
    assert crops[:3] == ["preprocess", "csv", str(second / "fetched.csv")]
    assert crops[crops.index("--margin") + 1] == "0"


def test_nobody_is_on_both_sides(tmp_path):
    (tmp_path / "manifest.csv").write_text(
        "path,label,identity\n"
        + "".join(f"real_videos/{n}.mp4,real,person {n % 19}\n" for n in range(40))
        + "real_photos/a.jpg,real,\nreal_photos/b.jpg,real,\nFaceForensics++/x.mp4,fake,x\n"
    )
    assert len(list(pipeline.genuine_files(tmp_path))) == 42
    rows = []
    for photos, so_far in ((False, 40), (True, 42)):
        pipeline.write_table([tmp_path], tmp_path / "table.csv", photos=photos)
        with (tmp_path / "table.csv").open() as file:
            rows += list(csv.DictReader(file))
        assert len(rows) == so_far
    sides = {(row["identity"], row["split"]) for row in rows}
    assert len(sides) == len({row["identity"] for row in rows})
    assert {split for _, split in sides} == {"train", "val"}
    assert all(row["label"] == "real" and "FaceForensics" not in row["path"] for row in rows)


def test_calibration_reads_videos_of_people_not_trained_on(calls, clips, tmp_path):
    final = pipeline.calibrate(tmp_path / "best.safetensors", clips, tmp_path)
    ((words, _),) = calls
    manifests = [clips["genuine"], clips["ffpp"]]
    assert words[:4] == ["calibrate", str(tmp_path / "best.safetensors"), *map(str, manifests)]
    assert words[words.index("--out") + 1] == str(final)


def test_packaged_provenance_names_no_folder_of_the_machine():
    stage = {"command": "deepfake-ssat train /a/b.yaml", "config": {"init": "/x/y/best.safetensors"}}
    cleaned = pipeline.without_folders({**stage, "before": [stage], "seed": 0, "seen": {"train": ["a/b"]}})
    assert cleaned["config"] == cleaned["before"][0]["config"] == {"init": "best.safetensors"}
    assert cleaned["command"] == cleaned["before"][0]["command"] == pipeline.COMMAND
    assert (cleaned["seed"], cleaned["seen"]) == (0, {"train": ["a/b"]})


def test_a_stage_that_fails_ends_the_program(monkeypatch):
    class Failed:
        returncode = 2

    monkeypatch.setattr(pipeline.subprocess, "run", lambda *_, **__: Failed())
    with pytest.raises(SystemExit) as stopped:
        pipeline.run_verb("train", "x")
    assert stopped.value.code == 2
