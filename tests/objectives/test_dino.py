"""DINO's loss in plain numpy, its schedules by hand, and a teacher that follows."""

import numpy as np
import pytest
import torch
from torch import nn

from deepfake_ssat.config import DinoSettings
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.objectives.dino import (
    Dino,
    DinoHead,
    dino_loss,
    teacher_momentum,
    teacher_temperature,
)
from tests.models.tiny import IMAGE, changed

SMALL = DinoSettings(hidden_width=16, bottleneck_width=8, prototypes=12)


def made(settings=SMALL, **changes):
    torch.manual_seed(0)
    model = MaskedAutoencoder(changed(IMAGE, **changes))
    return model, Dino(model, settings), torch.randn(2, 3, 3, 1, 32, 32)


def softmax(values):
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def test_loss_crosses_the_views_with_a_centred_and_sharpened_teacher():
    generator = np.random.default_rng(0)
    student, teacher = generator.normal(size=(2, 2, 4, 6))
    center = generator.normal(size=6)
    by_hand = []
    for ours, other in ((0, 1), (1, 0)):
        targets = softmax((teacher[other] - center) / 0.05)
        by_hand.append(-(targets * np.log(softmax(student[ours] / 0.1))).sum(axis=-1).mean())
    loss = dino_loss(*map(torch.from_numpy, (student, teacher, center)), 0.1, 0.05)
    assert float(loss) == pytest.approx(np.mean(by_hand))


def test_head_compares_directions_alone():
    head = DinoHead(10, SMALL)
    features = torch.randn(5, 10)
    cosines = head(features)
    assert cosines.abs().max() <= 1.0 + 1e-6
    with torch.no_grad():
        head.prototypes *= torch.rand(12, 1) + 0.5
    torch.testing.assert_close(head(features), cosines)
    assert [layer.out_features for layer in head.mlp if isinstance(layer, nn.Linear)] == [16, 16, 8]


def test_schedules_are_dinos():
    settings = DinoSettings()
    assert teacher_temperature(settings, 0.0) == 0.04
    assert teacher_temperature(settings, 0.15) == pytest.approx(0.055)
    assert teacher_temperature(settings, 0.3) == teacher_temperature(settings, 1.0) == 0.07
    assert teacher_momentum(settings, 0.0) == pytest.approx(0.996)
    assert teacher_momentum(settings, 0.5) == pytest.approx(0.998)
    assert teacher_momentum(settings, 1.0) == pytest.approx(1.0)


def test_teacher_follows_network_and_head_by_its_momentum():
    model, task, _ = made()
    before = {name: value.clone() for name, value in task.state_dict().items()}
    with torch.no_grad():
        for parameter in (*model.parameters(), *task.head.parameters()):
            parameter += 1.0
    task.after_step(model, 0.0)
    for name, value in task.state_dict().items():
        moved = {"teacher": 0.004, "teacher_head": 0.004, "head": 1.0, "center": 0.0}[name.split(".")[0]]
        torch.testing.assert_close(value - before[name], torch.full_like(value, moved), atol=2e-6, rtol=0.0)


def test_center_follows_the_teacher_in_training_alone():
    model, task, views = made()
    with torch.no_grad():
        outputs = task.teacher_head(task.teacher.features(views.flatten(0, 1)))
        task.eval()(model, views, 0.0)
        assert not task.center.any()
        task.train()(model, views, 0.0)
    torch.testing.assert_close(task.center, 0.1 * outputs.mean(dim=0))


def test_gradient_reaches_the_student_and_never_the_teacher():
    model, task, views = made()
    task(model, views, 0.5).backward()
    assert all(parameter.grad is None for parameter in task.teacher.parameters())
    assert all(parameter.grad is None for parameter in task.teacher_head.parameters())
    assert all(parameter.grad.abs().sum() > 0 for parameter in task.head.parameters())
    assert all(parameter.grad is not None for parameter in model.encoder.blocks.parameters())


def test_last_layer_stands_still_at_first():
    model, task, views = made()
    task(model, views, 0.005).backward()
    assert not task.head.prototypes.grad.any()
    assert task.head.mlp[0].weight.grad.any()


def test_teacher_never_drops_paths():
    encoder = IMAGE.encoder.model_copy(update={"drop_path": 0.9})
    model, task, views = made(encoder=encoder)
    task.train()
    features = task.teacher.features(views[0])
    torch.testing.assert_close(task.teacher.features(views[0]), features)
    assert not torch.equal(model.train().features(views[0]), features)
