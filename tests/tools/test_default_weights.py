"""The stages of the default weights' training, in miniature."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch
import train_default_weights as pipeline
import weights_stem
from safetensors.torch import load_file
from weights_crops import Crops, genuine_files, validates, write_table

from deepfake_ssat.clips.pseudo_fakes.outline import CANONICAL_LANDMARKS
from deepfake_ssat.models.checkpoint import load_checkpoint
from deepfake_ssat.models.efficientnet_lite import EfficientNetLite, _published_names


@pytest.fixture
def crops():
    """Clips of noise with a face's landmarks; a dozen people, some of whom validate."""
    generator = np.random.default_rng(0)
    people = [f"person {number}" for number in range(24)]
    assert {validates(person) for person in people} == {True, False}
    frames = generator.integers(0, 255, (len(people), 2, 160, 160, 3)).astype(np.uint8)
    landmarks = np.tile(CANONICAL_LANDMARKS * 60 + (80, 60), (len(people), 2, 1, 1))
    return Crops(frames, landmarks + generator.normal(0, 1, landmarks.shape), people)


@pytest.fixture
def published(tmp_path):
    """A file with the names of the published weights."""
    net = EfficientNetLite()
    own, weights = net.state_dict(), {}
    for name, convolution, norm in _published_names(net):
        weight = own[f"{name}.weight"]
        weights[f"{convolution}.weight"] = weight
        for part, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            weights[f"{norm}.{part}"] = torch.full((len(weight),), value)
    path = tmp_path / "lite0.pth"
    torch.save(weights, path)
    return path


@pytest.fixture
def phases(monkeypatch):
    for name, value in {"PAIRS": 2, "VALIDATION_PAIRS": 4, "VALIDATE_EVERY": 1}.items():
        monkeypatch.setattr(weights_stem, name, value)
    return (
        weights_stem.Phase("coarse", 64, 80, 1, 1e-3, 1, 0.5, 1),
        weights_stem.Phase("fine", 96, 112, 2, 1e-3, 1, 0.5, 3),
    )


def test_stem_is_trained_resumed_and_not_trained_twice(crops, published, tmp_path, phases, capsys):
    path = tmp_path / "stem_average.safetensors"
    weights_stem.train_stem(crops, crops, published, path, (phases[0], replace(phases[1], steps=1)))
    first = load_file(path)
    (tmp_path / "stem_fine.safetensors").unlink()
    weights_stem.train_stem(crops, crops, published, path, phases)
    second = load_file(path)
    assert "stem_coarse.safetensors: this phase is finished" in capsys.readouterr().out
    assert torch.load(tmp_path / "stem_fine.resume.pt", weights_only=True)["step"] == 2
    assert not torch.equal(first["head.weight"], second["head.weight"])
    # The first blocks stay as published.
    torch.testing.assert_close(first["stem.stem.0.weight"], second["stem.stem.0.weight"])


def test_pairs_are_the_same_draw_but_for_the_manipulation(crops, phases):
    first, second = (
        next(iter(weights_stem.Pairs(crops, crops, phases[0], validation=False, seed=3))) for _ in range(2)
    )
    assert torch.equal(first, second)
    real, fake = first.numpy().astype(int)
    difference = np.abs(real - fake).max(axis=-1)
    # Light and noise are common to both; the picture's corner is outside every mask.
    assert difference[:4, :4].max() <= 12
    assert difference[20:45, 15:50].mean() > difference[:4, :4].mean()


def test_nobody_is_on_both_sides(tmp_path):
    (tmp_path / "manifest.csv").write_text(
        "path,label,identity\n"
        + "".join(f"real_videos/{n}.mp4,real,person {n % 9}\n" for n in range(40))
        + "real_photos/a.jpg,real,\nreal_photos/b.jpg,real,\nFaceForensics++/x.mp4,fake,x\n"
    )
    assert len(genuine_files(tmp_path)) == 42
    write_table(tmp_path, tmp_path / "genuine.csv")
    with (tmp_path / "genuine.csv").open() as file:
        rows = list(csv.DictReader(file))
    sides = {(row["identity"], row["split"]) for row in rows}
    assert len(sides) == len({row["identity"] for row in rows}) == 10
    assert all(row["label"] == "real" and "FaceForensics" not in row["path"] for row in rows)


def test_stem_becomes_a_checkpoint_that_the_next_stage_starts_from(
    crops, published, phases, tmp_path, monkeypatch
):
    monkeypatch.setattr(pipeline, "PHASES", phases[:1])
    (tmp_path / "manifest.csv").write_text("path,label,identity\nreal_videos/a.mp4,real,somebody\n")
    monkeypatch.setattr(pipeline, "load_crops", lambda data, folder: (crops, crops))
    path = pipeline.make_stem(tmp_path, tmp_path, published)
    loaded = load_checkpoint(path)
    average = load_file(tmp_path / "stem_average.safetensors")
    stem = loaded.model.state_dict()
    torch.testing.assert_close(stem["encoder.stem.stem.0.weight"], average["stem.stem.0.weight"])
    assert loaded.provenance["people"] == {"train": ["somebody"], "val": []} or validates("somebody")


def test_manifests_are_relabelled_and_photos_left_out(tmp_path):
    header, rows = "video_id,split,num_frames\n", "a,train,40\nb,train,1\n"
    (tmp_path / "manifest.csv").write_text(header + rows)
    assert pipeline.rewrite(tmp_path, "v.csv", pipeline.as_validation).read_text().split()[1:] == [
        "a,val,40",
        "b,val,1",
    ]
    assert len(pipeline.rewrite(tmp_path, "o.csv", pipeline.only_videos).read_text().split()) == 2


def test_a_stage_that_fails_ends_the_program(monkeypatch):
    class Failed:
        returncode = 2

    monkeypatch.setattr(pipeline.subprocess, "run", lambda *_, **__: Failed())
    with pytest.raises(SystemExit) as stopped:
        pipeline.run_verb("train", "x")
    assert stopped.value.code == 2
