"""Relative localisation and locality guidance against their definitions, written out pair by pair."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F

from deepfake_ssat.config import Experiment, GuidanceSettings, ObjectiveSettings, RelativeLocalisationSettings
from deepfake_ssat.config.light_cnn import LightCnnSettings
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.models.checkpoint import Checkpoint, save_checkpoint
from deepfake_ssat.models.light_cnn import LightCnn
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.objectives import OBJECTIVES, Auxiliary, build_tasks
from deepfake_ssat.objectives.guidance import Guidance, imitation_loss
from deepfake_ssat.objectives.relative_localisation import RelativeLocalisation, distances, draw_pairs
from tests.models.tiny import IMAGE, VIDEO, changed
from tests.training.runs import tiny_values

LABELS = torch.tensor([0, 1])


def made(settings=IMAGE):
    torch.manual_seed(0)
    shape = (2, 3, settings.frames, settings.image_size, settings.image_size)
    return MaskedAutoencoder(settings), torch.randn(shape)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    torch.manual_seed(1)
    settings = LightCnnSettings(depth=8, width=4, image_size=16, mean=(0.5,), std=(0.25,))
    network = LightCnn(settings).eval()
    path = tmp_path_factory.mktemp("teacher") / "best.safetensors"
    save_checkpoint(path, Checkpoint(network, settings))
    return path, network


def test_maps_are_the_tokens_of_every_block_in_place():
    model, clips = made()
    logits, maps = model.classify_with_maps(clips)
    torch.testing.assert_close(logits, model.classify(clips))
    tokens = model.encoder(clips)
    assert len(maps.blocks) == 3
    torch.testing.assert_close(maps.blocks[-1][1, :, 0, 2, 3], tokens[1, 1 + 2 * 4 + 3])
    torch.testing.assert_close(maps.final[1, :, 0, 2, 3], model.encoder.norm(tokens)[1, 1 + 2 * 4 + 3])
    torch.testing.assert_close(maps.blocks[1][0, :, 0, 0, 1], model.encoder.before_last_block(clips)[0, 2])


@pytest.mark.parametrize("settings", [IMAGE, VIDEO], ids=["image", "video"])
def test_relative_localisation_is_its_definition(settings):
    model, clips = made(settings)
    _, maps = model.classify_with_maps(clips)
    task = RelativeLocalisation(48, RelativeLocalisationSettings(pairs=7, hidden_width=10))
    loss = task(maps, clips, torch.Generator().manual_seed(5))
    steps, rows, columns = settings.grid
    final = maps.final.detach()
    pairs = draw_pairs(2 * steps, (rows, columns), 7, torch.Generator().manual_seed(5), torch.device("cpu"))
    errors = []
    for picture in range(2 * steps):
        clip, step = divmod(picture, steps)
        for (i, j), (p, q) in zip(pairs[0, picture].tolist(), pairs[1, picture].tolist(), strict=True):
            tokens = torch.cat([final[clip, :, step, i, j], final[clip, :, step, p, q]])
            guess = task.head(tokens).tolist()
            errors += [abs(guess[0] - abs(i - p) / (rows - 1)), abs(guess[1] - abs(j - q) / (columns - 1))]
    assert loss.item() == pytest.approx(np.mean(errors), abs=1e-6)


def test_pairs_cover_the_grid_and_distances_reach_from_0_to_1():
    cells = draw_pairs(50, (3, 5), 40, torch.Generator().manual_seed(0), torch.device("cpu"))
    assert cells.shape == (2, 50, 40, 2)
    assert [int(axis.max()) for axis in cells.unbind(-1)] == [2, 4]
    found = distances(cells, (3, 5))
    assert float(found.min()) == 0.0
    assert [float(axis.max()) for axis in found.unbind(-1)] == [1.0, 1.0]


@pytest.mark.parametrize("name", ["scratch", "ssat", "ssat_simclr"])
def test_terms_are_added_to_the_classification(name, teacher):
    model, clips = made()
    guidance = {"teacher": str(teacher[0]), "weight": 2.5, "blocks": [0, 1, 2]}
    settings = ObjectiveSettings(
        name=name, relative_localisation={"weight": 0.3}, guidance=guidance, class_weight="none"
    )
    tasks = build_tasks(model, settings)
    assert tasks.on_maps.keys() == {"relative_localisation", "guidance"}
    auxiliary = Auxiliary(tasks, torch.stack([clips, clips.flip(-1)]))
    losses = OBJECTIVES[name](
        model, clips, LABELS, settings, None, torch.Generator().manual_seed(0), auxiliary
    )
    primary = losses.classification + 0.3 * losses.terms["relative_localisation"]
    primary = primary + 2.5 * losses.terms["guidance"]
    other = losses.reconstruction if name == "ssat" else losses.views
    total = primary if other is None else 0.1 * primary + 0.9 * other
    torch.testing.assert_close(losses.total, total)


def test_guidance_compares_linear_maps_of_blocks_with_the_teachers_stages(teacher):
    path, cnn = teacher
    model, clips = made()
    task = Guidance(model, 48, GuidanceSettings(teacher=path, blocks=(0, 1, 2)))
    _, maps = model.classify_with_maps(clips)
    loss = task(maps, clips, None)
    # Pixels in [0, 1] at the teacher's 16 pixels, by its own mean and deviation.
    mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in (IMAGE.mean, IMAGE.std))
    pixels = clips[:, :, 0] * std + mean
    pictures = (F.interpolate(pixels, (16, 16), mode="bilinear", align_corners=False) - 0.5) / 0.25
    expected = 0.0
    with torch.no_grad():
        for block, linear, stage in zip(maps.blocks, task.maps, cnn.stage_maps(pictures), strict=True):
            side = max(block.shape[-1], stage.shape[-1])
            ours = torch.einsum("fd,bdhw->bfhw", linear.weight[:, :, 0, 0], block[:, :, 0])
            ours = ours + linear.bias[:, None, None]
            grow = {"size": (side, side), "mode": "bilinear", "align_corners": False}
            ours, theirs = F.interpolate(ours, **grow), F.interpolate(stage, **grow)
            expected += float(((ours - theirs) ** 2).mean())
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_larger_grid_counts():
    small, large = torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 2, 2)
    assert imitation_loss(small, large) == imitation_loss(large, small) == 1.0


def test_teacher_stands_still_and_the_student_learns_from_it(teacher):
    path, cnn = teacher
    model, clips = made()
    task = Guidance(model, 48, GuidanceSettings(teacher=path, blocks=(0, 1, 2))).train()
    _, maps = model.classify_with_maps(clips)
    task(maps, clips, None).backward()
    assert all(parameter.grad is None for parameter in task.teacher.parameters())
    assert all(parameter.grad is not None for parameter in task.maps.parameters())
    assert model.encoder.patch_embed.weight.grad.abs().sum() > 0
    for name, buffer in task.teacher.named_buffers():
        torch.testing.assert_close(buffer, cnn.get_buffer(name))


def test_teacher_of_another_kind_is_refused_in_one_line(tmp_path, teacher):
    model, _ = made()
    path = tmp_path / "vit.safetensors"
    save_checkpoint(path, Checkpoint(model, IMAGE))
    with pytest.raises(ConfigError, match="is of kind masked_autoencoder, guidance needs a light_cnn"):
        Guidance(model, 48, GuidanceSettings(teacher=path, blocks=(0, 1, 2)))
    with pytest.raises(ConfigError, match="the teacher has 3 stages"):
        Guidance(model, 48, GuidanceSettings(teacher=teacher[0], blocks=(0, 1)))
    grey = MaskedAutoencoder(changed(IMAGE, channels=1, mean=(0.5,), std=(0.5,)))
    with pytest.raises(ConfigError, match=r"reads 3 channels, the model 1; .* model\.channels=1"):
        Guidance(grey, 48, GuidanceSettings(teacher=teacher[0], blocks=(0, 1, 2)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"objective": {"name": "mae", "relative_localisation": {}}},
            "relative_localisation is added to the classification of whole clips, objective.name is mae",
        ),
        (
            {"objective": {"name": "simclr"}, "model": {"kind": "frame_classifier"}},
            "simclr needs a model of kind masked_autoencoder, model.kind is frame_classifier",
        ),
        (
            {"objective": {"guidance": {"teacher": "x", "blocks": [0, 1, 2]}}},
            "guidance reads single pictures, model.frames is 4",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path, changes, message):
    values = tiny_values(tmp_path, **{"objective": {"name": "scratch"}, **changes})
    if "model" in changes:
        values["model"] = {"frames": 4, **changes["model"]}
    with pytest.raises(ValidationError, match=message):
        Experiment.model_validate(values)
