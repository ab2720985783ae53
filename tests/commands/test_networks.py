"""The networks of table 1 through train: smoke configurations, pre-training and fine-tuning, resuming."""

import csv
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from deepfake_ssat.commands.train import run
from deepfake_ssat.config import load_experiment
from deepfake_ssat.models.checkpoint import load_checkpoint
from deepfake_ssat.protocols.made_up import make_up_data

CONFIGS = Path(__file__).parents[2] / "configs"
SHORT = [
    "optimizer.batch_size=16",
    "optimizer.warmup_epochs=0",
    "trainer.epochs=1",
    "trainer.workers=0",
    "trainer.checkpoint_every_steps=1",
]
"""Three steps."""
HIERARCHICAL = pytest.mark.parametrize(
    "name",
    [
        pytest.param("image_ssat_cifar10_swin", marks=pytest.mark.slow),
        pytest.param("image_ssat_cifar10_swin_uniform", marks=pytest.mark.slow),
        "image_ssat_cifar10_cvt",
    ],
)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Fewer than CIFAR's files hold, in their size and classes."""
    data = f"data={{kind: npz, path: {tmp_path_factory.mktemp('data') / 'pictures.npz'}}}"
    experiment = load_experiment(CONFIGS / "image_ssat_cifar10.yaml", [data])
    make_up_data(experiment, experiment.data.path)
    return data


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
@HIERARCHICAL
def test_pre_training_and_then_fine_tuning(name, pictures, tmp_path):
    file = CONFIGS / f"{name}.yaml"
    pre_training = [*SHORT, pictures, "objective.name=mae", "objective.label_smoothing=0"]
    assert run(file, pre_training, tmp_path / "mae", smoke=True) == 0
    pictures_drawn = list((tmp_path / "mae/reconstructions").iterdir())
    assert len(pictures_drawn) == 1
    before = tmp_path / "mae/checkpoints/last.safetensors"
    fine_tuning = [*SHORT, pictures, "objective.name=scratch", "optimizer.layer_decay=0.75", f"init={before}"]
    assert run(file, fine_tuning, tmp_path / "tuned", smoke=True) == 0
    assert "left as initialised" not in (tmp_path / "tuned/train.log").read_text()
    tuned = load_checkpoint(tmp_path / "tuned/checkpoints/best.safetensors")
    assert tuned.model.autoencoder() is None
    assert "val_image_accuracy" in tuned.metrics


@pytest.mark.slow
@HIERARCHICAL
def test_killed_run_repeats_the_undisturbed_one_both_passes_statistics_included(
    name, pictures, tmp_path, monkeypatch
):
    from deepfake_ssat.training.callbacks import TrainingRows

    write_row = TrainingRows.on_train_batch_end

    def die(self, trainer, *rest):
        write_row(self, trainer, *rest)
        if trainer.global_step == 2:
            raise MemoryError("killed")

    file, changes = CONFIGS / f"{name}.yaml", [*SHORT, pictures, "model.drop_path=0.2"]
    run(file, changes, tmp_path / "whole", smoke=True)
    with monkeypatch.context() as patch:
        patch.setattr(TrainingRows, "on_train_batch_end", die)
        with pytest.raises(MemoryError):
            run(file, changes, tmp_path / "killed", smoke=True)
    run(file, changes, tmp_path / "killed", smoke=True)
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")
    left, right = (load_file(tmp_path / run / "checkpoints/last.safetensors") for run in ("killed", "whole"))
    assert all(torch.equal(value, right[name]) for name, value in left.items())


@pytest.mark.slow
def test_residual_network_trains_on_pictures(pictures, tmp_path):
    file = CONFIGS / "image_scratch_cifar10_resnet50.yaml"
    assert run(file, [*SHORT, pictures], tmp_path / "run", smoke=True) == 0
    assert load_checkpoint(tmp_path / "run/checkpoints/best.safetensors").kind == "frame_classifier"
