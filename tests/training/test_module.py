import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch.utils.data import DataLoader

from deepfake_ssat.config import Experiment
from deepfake_ssat.errors import TrainingError
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.training.module import TrainingModule
from deepfake_ssat.training.optim import Schedule, freeze_unused
from deepfake_ssat.training.trainer import quiet_lightning
from tests.training.runs import tiny_values

SCHEDULE = Schedule(1e-3, 0.0, 0.0, 0, 10)


def module(tmp_path, schedule=SCHEDULE, batches=5, **changes):
    experiment = Experiment.model_validate(tiny_values(tmp_path, **changes))
    torch.manual_seed(0)
    return TrainingModule(MaskedAutoencoder(experiment.model), experiment, None, schedule, batches, ["a"])


def batch(size=2):
    pixels = torch.randint(
        0, 256, (size, 4, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )
    return {
        "pixels": pixels,
        "label": torch.arange(size) % 2,
        "item": torch.arange(size),
        "video": torch.zeros(size).long(),
    }


@pytest.mark.parametrize("mixup", [0.0, 1.0])
def test_step_draws_from_seed_and_position_alone(tmp_path, mixup):
    training = module(tmp_path, augmentation={"mixup": mixup}).train()
    first = training.training_step(batch(), 3)["loss"]
    torch.rand(7)  # Whatever happened to torch's own stream in between.
    again = training.training_step(batch(), 3)["loss"]
    other = training.training_step(batch(), 4)["loss"]
    assert first.item() == again.item()
    assert first.item() != other.item()


def test_validation_uses_the_same_masks_every_time(tmp_path):
    training = module(tmp_path).eval()
    with torch.no_grad():
        assert training.validation_step(batch(), 0) == training.validation_step(batch(), 0)


@pytest.mark.parametrize("objective", ["scratch", "ssat", "ssat_visible", "supmae"])
def test_validation_scores_come_from_all_tokens(tmp_path, objective):
    training = module(tmp_path, objective={"name": objective}).eval()
    from deepfake_ssat.models.pixels import normalize_pixels

    with torch.no_grad():
        scores = training.validation_step(batch(), 0)
        logits = training.model.classify(normalize_pixels(batch()["pixels"], training.model.settings))
    assert torch.allclose(torch.tensor(scores.probabilities), logits.softmax(dim=1), atol=1e-6)
    assert scores.items == [0, 1]


def test_pre_training_scores_nothing(tmp_path):
    with torch.no_grad():
        scores = module(tmp_path, objective={"name": "mae"}).eval().validation_step(batch(), 0)
    assert scores.probabilities == []
    assert scores.loss_sums.keys() == {"loss", "reconstruction_loss"}


def test_loss_that_is_not_finite_ends_the_run_in_one_line(tmp_path):
    training = module(tmp_path)
    with torch.no_grad():
        training.model.head.weight.fill_(float("nan"))
    with pytest.raises(
        TrainingError, match=r"the loss became nan in epoch 1, batch 5, after step 0, on a: .*lower optimizer"
    ) as error:
        training.training_step(batch(), 4)
    assert "\n" not in str(error.value)


def test_incomplete_last_step_of_an_epoch_is_the_mean_over_its_batches_too(tmp_path, monkeypatch):
    # Equal batches, no randomness, weights that stand still: every step has the same gradient.
    training = module(
        tmp_path,
        Schedule(1e-12, 1e-12, 1e-12, 0, 10),
        batches=3,
        objective={"name": "scratch"},
        model={"encoder": {"width": 32, "depth": 2, "heads": 2}},
        optimizer={"accumulate_batches": 2},
    )
    training.model.drop_decoder()
    freeze_unused(training.model, training._experiment.objective)
    norms, shown = [], []

    class Watch(Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            gradients = [value.grad for value in training.parameters() if value.grad is not None]
            norms.append(float(torch.stack([gradient.norm() for gradient in gradients]).norm()))

        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            shown.append(float(outputs["losses"]["loss"]))

    trainer = Trainer(
        accelerator="cpu",
        max_epochs=1,
        accumulate_grad_batches=2,
        callbacks=[Watch()],
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    with quiet_lightning():
        loaders = [DataLoader([batch()] * count, batch_size=None) for count in (3, 1)]
        trainer.fit(training, *loaders)
    assert norms == [pytest.approx(norms[0], rel=1e-4)] * 2
    alone = training.training_step(batch(), 0)["losses"]["loss"]
    assert shown == [pytest.approx(float(alone), rel=1e-4)] * 3
