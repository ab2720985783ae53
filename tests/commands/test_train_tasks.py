"""SimCLR, DINO and the small-data terms through the trainer: rows, resumed runs, fine-tuning, smoke runs."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from deepfake_ssat.commands.train import run
from deepfake_ssat.config import load_experiment
from deepfake_ssat.errors import CheckpointError
from deepfake_ssat.models.checkpoint import load_checkpoint
from deepfake_ssat.protocols import made_up
from tests.commands.test_train import killed_after, rows, same_run
from tests.manifests import make_manifest, tiny_videos
from tests.training.runs import tiny_values, write_config

CONFIGS = Path(__file__).parents[2] / "configs"
DINO = {"hidden_width": 16, "bottleneck_width": 8, "prototypes": 12, "teacher_momentum": 0.5}
ONE_STEP = {"optimizer": {"warmup_epochs": 0}, "trainer": {"epochs": 1}}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Bright and dark noise in MedMNIST's format: training on it takes a second."""
    generator = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 6), ("val", 4)):
        labels = np.arange(count) % 2
        arrays[f"{split}_images"] = (
            generator.integers(0, 80, (count, 16, 16, 3)) + 120 * labels[:, None, None, None]
        ).astype(np.uint8)
        arrays[f"{split}_labels"] = labels[:, None]
    file = tmp_path_factory.mktemp("pictures") / "set.npz"
    np.savez(file, **arrays)
    return file


@pytest.fixture
def config(tmp_path, pictures):
    def write(name="tiny", **changes):
        values = tiny_values(pictures, **changes) | {"data": {"kind": "npz", "path": str(pictures)}}
        values["model"] |= {"frames": 1, "tubelet": 1, "image_size": 16, "patch": 4}
        return write_config(tmp_path / f"{name}.yaml", values)

    return write


@pytest.mark.slow
@pytest.mark.parametrize("task", ["simclr", "dino"])
def test_killed_run_with_views_repeats_the_undisturbed_one(config, tmp_path, monkeypatch, task):
    changes = {
        "objective": {"name": f"ssat_{task}", "dino": DINO},
        "optimizer": {"ema_decay": 0.9, "accumulate_batches": 2},
        "trainer": {"checkpoint_every_steps": 1},
    }
    file = config(**changes)
    run(file, out=tmp_path / "whole")
    killed_after(3, file, tmp_path / "killed", monkeypatch)
    assert run(file, changes=["trainer.workers=1"], out=tmp_path / "killed") == 0
    assert same_run(tmp_path / "killed", tmp_path / "whole")
    # 3 batches an epoch: a step of two and a step of one.
    steps = [row for row in rows(tmp_path / "whole") if row["loss"]]
    assert len(steps) == 4
    for row in steps:
        total = 0.1 * float(row["classification_loss"]) + 0.9 * float(row["view_loss"])
        assert float(row["loss"]) == pytest.approx(total, rel=1e-5)


@pytest.mark.slow
def test_teacher_of_a_resumed_run_is_the_undisturbed_one(config, tmp_path, monkeypatch):
    """Weights alone would not tell: a teacher that began anew shows in the next steps' losses."""
    from deepfake_ssat.objectives.dino import Dino

    file = config(objective={"name": "dino", "dino": DINO}, trainer={"checkpoint_every_steps": 1})
    seen: dict[str, list[float]] = {"whole": [], "resumed": []}
    follow = Dino.after_step

    def note(name):
        def after_step(self, model, progress):
            follow(self, model, progress)
            teacher = [value.double().abs().sum().item() for value in self.teacher.parameters()]
            seen[name].append(sum(teacher) + self.center.double().abs().sum().item())

        return after_step

    monkeypatch.setattr(Dino, "after_step", note("whole"))
    run(file, out=tmp_path / "whole")
    monkeypatch.setattr(Dino, "after_step", follow)
    killed_after(3, file, tmp_path / "killed", monkeypatch)
    monkeypatch.setattr(Dino, "after_step", note("resumed"))
    run(file, out=tmp_path / "killed")
    assert len(seen["whole"]) == 6
    assert seen["resumed"] == seen["whole"][2:]


@pytest.mark.slow
@pytest.mark.parametrize("task", ["simclr", "dino"])
def test_pre_training_on_views_is_followed_by_fine_tuning(config, tmp_path, capsys, task):
    before, after = tmp_path / "before", tmp_path / "after"
    run(config("before", objective={"name": task, "dino": DINO}, **ONE_STEP), out=before)
    init = before / "checkpoints/last.safetensors"
    weights = load_file(init)
    # Heads and teachers are no part of the network; the decoder has nothing to do.
    assert {name.split(".")[0] for name in weights} == {"encoder", "head", "head_norm"}
    assert "val_view_loss" in rows(before)[0]
    with pytest.raises(CheckpointError, match="pre-trained without labels"):
        load_checkpoint(init).require_contract()
    capsys.readouterr()
    run(config("after", objective={"name": "scratch"}, init=str(init), **ONE_STEP), out=after)
    assert "weights come from" in " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
def test_clips_of_faces_have_views_too(tmp_path):
    manifest = make_manifest(tmp_path / "clips", tiny_videos(2, splits=("train", "val")), frames=8)
    values = tiny_values(manifest.root, objective={"name": "ssat_simclr"}, **ONE_STEP)
    assert run(write_config(Path(tmp_path) / "tiny.yaml", values), out=tmp_path / "run") == 0
    assert float(rows(tmp_path / "run")[-1]["val_view_loss"]) > 0


CHAINS = [
    ("image_supmae_cifar10", "image_supmae_cifar10_finetune"),
    ("image_simclr_cifar10", "image_cifar10_finetune"),
    ("image_dino_cifar10",),
    ("image_ssat_simclr_cifar10",),
    ("image_ssat_dino_cifar10",),
    ("image_sl_vit_cifar10",),
    ("image_drloc_cifar10",),
    ("image_light_cnn_cifar10", "image_guidance_cifar10", "image_ssat_guidance_cifar10"),
]


@pytest.fixture(scope="module")
def cifar(tmp_path_factory):
    """CIFAR-10's files with 40 pictures to train on, of which a run holds some out."""
    folder = tmp_path_factory.mktemp("cifar") / "cifar-10-batches-py"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(made_up, "CIFAR_FILE_PICTURES", 8)
        made_up.make_up_data(load_experiment(CONFIGS / "image_ssat_cifar10.yaml", smoke=True), folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain[0])
def test_configurations_run_one_after_the_other_under_smoke(cifar, tmp_path, monkeypatch, chain):
    monkeypatch.chdir(tmp_path)
    few = ["data.val_images=16", "optimizer.batch_size=8", "optimizer.warmup_epochs=0", "trainer.epochs=1"]
    for name in chain:
        changes = [f"data.root={cifar}", *few, "trainer.workers=0"]
        assert run(CONFIGS / f"{name}.yaml", changes, smoke=True) == 0
        out = tmp_path / "runs" / f"smoke_{name}"
        (validation,) = [row for row in rows(out) if row["val_loss"]]
        assert all(value for name, value in validation.items() if name.startswith("val_"))
        assert load_checkpoint(out / "checkpoints/last.safetensors").metrics["epoch"] == 1
