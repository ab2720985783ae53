"""The files of configs/: what each resolves to, alone and under --smoke, and what it may hold."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from deepfake_ssat.config import PRESETS, Experiment, load_experiment
from deepfake_ssat.config.layers import read_layers
from deepfake_ssat.models.kinds import build_network
from deepfake_ssat.protocols.paper import MANIPULATIONS, TABLE_8

FOLDER = Path(__file__).parents[2] / "configs"
CONFIGS = sorted(FOLDER.glob("*.yaml"))
ROWS = sorted(path.stem for path in CONFIGS if path.stem.startswith("video_ffpp_"))
CHAINS = sorted(
    path.stem
    for path in CONFIGS
    if path.stem.startswith(("video_dfdc_", "video_ffpp_ssat", "video_ffpp_fine"))
)
"""Stages of table 8: recipes that have a file of their own, on other data or from other weights."""
OF_TOOLS = ["default_weights", "default_weights_image", "frame_model", "image_ssat_dfdc_crops"]
"""Stages of tools/train_default_weights.py and tools/ssat_on_deepfakes.py, small as they are."""
WITH_SMOKE = sorted(path.stem for path in CONFIGS if path.stem not in OF_TOOLS)


def experiment(name, **options):
    return load_experiment(FOLDER / f"{name}.yaml", **options)


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_file_is_short_says_how_to_run_and_builds_its_model(path):
    text = path.read_text()
    assert text.startswith("# ")
    assert f"deepfake-ssat train configs/{path.name}" in text
    assert len([line for line in text.splitlines() if not line.startswith("#")]) <= 35
    with torch.device("meta"):
        build_network(load_experiment(path).model)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_file_repeats_neither_its_base_nor_a_default(path):
    layers, whole = read_layers(path), load_experiment(path)
    own = layers.files[-1]
    for keys in leaves(own.values):
        less = deepcopy(own.values)
        section = less
        for key in keys[:-1]:
            section = section[key]
        del section[keys[-1]]
        shorter = replace(layers, files=(*layers.files[:-1], replace(own, values=less)))
        try:
            same = Experiment.model_validate(shorter.merged()) == whole
        except ValidationError:
            continue
        assert not same, f"{'.'.join(keys)} says nothing new"


def leaves(values, above=()):
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key)


SIZES = {
    "dino": {"hidden_width", "bottleneck_width", "prototypes"},
    "guidance": {"teacher", "blocks"},
}
"""What --smoke makes small of an objective; a teacher is that of its own smoke run."""


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_SMOKE)
def test_smoke_run_keeps_the_objective_and_the_kind_of_data(name):
    full, smoke = experiment(name), experiment(name, smoke=True)
    assert smoke.objective.model_dump(exclude=SIZES) == full.objective.model_dump(exclude=SIZES)
    assert smoke.data.kind == full.data.kind
    # What preprocess wrote for the whole run is what the small one takes.
    assert getattr(smoke.data, "manifest", None) == getattr(full.data, "manifest", None)
    assert smoke.model.frames == full.model.frames
    assert smoke.trainer.epochs <= 5
    with torch.device("meta"):
        build_network(smoke.model)


@pytest.mark.parametrize(("name", "ratio"), [("video_ssat_075", 0.75), ("video_ssat_095", 0.95)])
def test_video_ssat_is_that_of_the_paper(name, ratio):
    loaded = experiment(name)
    assert loaded.objective.classification_weight == 0.1
    assert loaded.objective.mask_ratio == ratio
    assert loaded.model.grid == (8, 14, 14)
    assert loaded.augmentation.name == "dfdc"
    assert (loaded.model.decoder.depth, loaded.model.decoder.width) == (2, 128)


def test_pneumoniamnist_is_that_of_table_5():
    loaded = experiment("image_ssat_pneumoniamnist")
    encoder = loaded.model.encoder
    assert (encoder.width, encoder.depth, encoder.heads) == PRESETS["tiny"]
    assert (loaded.model.image_size, loaded.model.patch) == (28, 2)
    assert (loaded.optimizer.batch_size, loaded.trainer.epochs) == (64, 100)


@pytest.mark.parametrize("smoke", [False, True])
def test_fine_tuning_starts_from_pre_training_of_the_same_geometry(smoke):
    before, after = experiment("video_mae", smoke=smoke), experiment("video_finetune", smoke=smoke)
    run = "smoke_video_mae" if smoke else "video_mae"
    assert str(after.init) == f"runs/{run}/checkpoints/best.safetensors"
    ignored = {"encoder": {"drop_path"}}
    assert before.model.model_dump(exclude=ignored) == after.model.model_dump(exclude=ignored)


@pytest.mark.parametrize("smoke", [False, True])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("image_supmae_cifar10", "image_supmae_cifar10_finetune"),
        ("image_simclr_cifar10", "image_cifar10_finetune"),
        ("image_dino_cifar10", "image_cifar10_finetune"),
    ],
)
def test_fine_tuning_on_cifar_has_the_encoder_of_its_pre_training(before, after, smoke):
    first, second = experiment(before, smoke=smoke), experiment(after, smoke=smoke)
    own = {"head": True, "encoder": {"drop_path"}}
    assert first.model.model_dump(exclude=own) == second.model.model_dump(exclude=own)
    if before != "image_dino_cifar10":
        run = f"smoke_{before}" if smoke else before
        assert str(second.init) == f"runs/{run}/checkpoints/last.safetensors"


@pytest.mark.parametrize("smoke", [False, True])
def test_guidance_comes_from_the_light_cnns_own_run(smoke):
    guided = experiment("image_ssat_guidance_cifar10", smoke=smoke)
    run = "smoke_image_light_cnn_cifar10" if smoke else "image_light_cnn_cifar10"
    assert str(guided.objective.guidance.teacher) == f"runs/{run}/checkpoints/best.safetensors"
    assert max(guided.objective.guidance.blocks) == guided.model.encoder.depth - 1


@pytest.mark.parametrize("name", CHAINS)
def test_stage_is_its_recipe_but_for_data_initial_weights_and_mask(name):
    _, corpus, method, ratio = name.split("_")
    recipe = {"ssat": f"video_ssat_{ratio}", "mae": "video_mae", "finetune": "video_finetune"}[method]
    before = {
        "video_dfdc_finetune": "video_dfdc_mae",
        "video_ffpp_finetune": "video_dfdc_finetune",
        "video_ffpp_ssat": "video_dfdc_ssat",
    }.get(f"video_{corpus}_{method}")
    stage, expected = experiment(name), experiment(recipe).model_dump(mode="json")
    expected["init"] = f"runs/{before}_{ratio}/checkpoints/best.safetensors" if before else None
    expected["data"] |= {
        "manifest": f"data/{corpus}/manifest.csv",
        "train": stage.data.train.model_dump(mode="json"),
        "val": stage.data.val.model_dump(mode="json"),
    }
    if method == "mae":
        expected["objective"]["mask_ratio"] = int(ratio) / 100
    assert stage.model_dump(mode="json") == expected


@pytest.mark.parametrize("name", ROWS)
def test_row_of_table_8_trains_on_the_papers_four_manipulations_in_one_compression(name):
    data = experiment(name).data
    assert (data.train.splits, data.val.splits) == (("train",), ("val",))
    for selection in (data.train, data.val):
        assert selection.manipulations == MANIPULATIONS
        assert selection.compressions == ("c23",)


def test_every_row_of_the_paper_is_a_configuration():
    assert sorted(TABLE_8) == ROWS


def test_baselines_train_and_judge_as_the_rows_beside_them():
    ours = experiment("video_ffpp_scratch")
    for name in ("video_ffpp_efficientnet_b7", "video_ffpp_cross_efficient_vit"):
        baseline = experiment(name)
        assert baseline.data == ours.data
        assert baseline.augmentation == ours.augmentation
        assert baseline.objective.class_weight == ours.objective.class_weight
        assert baseline.model.frames == ours.model.frames


def test_stages_of_the_default_weights_follow_each_other():
    frame, image, video = (
        experiment(name) for name in ("frame_model", "default_weights_image", "default_weights")
    )
    assert str(image.init) == "runs/frame_model/checkpoints/best.safetensors"
    assert str(video.init) == "runs/default_weights_image/checkpoints/best.safetensors"
    assert frame.model.kind == "frame_model"
    assert image.model.stem == video.model.stem == "efficientnet_lite0"
    assert (frame.model.mean, frame.model.std) == (image.model.mean, image.model.std)
    assert frame.model.image_size == image.model.image_size == video.model.image_size
    # Of the later stages the convolutions learn too, slowly.
    for stage in (image, video):
        assert 0 < stage.optimizer.stem_rate < 1
        assert not stage.optimizer.freeze_stem
        assert (stage.objective.name, stage.objective.classification_weight) == ("ssat", 0.1)
