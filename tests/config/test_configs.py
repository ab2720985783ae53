from pathlib import Path

import pytest
import torch
import yaml

from deepfake_ssat.config import PRESETS, load_experiment
from deepfake_ssat.models.kinds import build_network
from deepfake_ssat.protocols.paper import MANIPULATIONS, TABLE_8
from deepfake_ssat.training.run_folder import leaves

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
CHAINS = sorted(path.stem for path in CONFIGS if path.stem.startswith(("video_dfdc_", "video_ffpp_")))
"""Stages of table 8: recipes that have a file of their own, on other data or from other weights."""
DEFAULT_WEIGHTS = ["default_weights", "default_weights_image"]
"""Stages of tools/train_default_weights.py, small as they are."""
FULL = sorted(
    path.stem
    for path in CONFIGS
    if not path.stem.startswith("smoke_") and path.stem not in (*CHAINS, *DEFAULT_WEIGHTS)
)


def experiment(name):
    return load_experiment(CONFIGS[0].parent / f"{name}.yaml")


def test_every_experiment_has_a_smoke_version():
    smoke = {path.stem.removeprefix("smoke_") for path in CONFIGS}
    assert sorted(smoke & set(FULL)) == FULL
    assert len(FULL) == 11


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_file_is_complete_and_builds_its_model(path):
    loaded = load_experiment(path)
    text = path.read_text()
    assert text.startswith("# ")
    assert f"deepfake-ssat train configs/{path.name}" in text
    given = {key for key, _ in leaves(yaml.safe_load(text))}
    known = {key for key, _ in leaves(loaded.model_dump(mode="json"))}
    sizes = {f"model.encoder.{name}" for name in ("width", "depth", "heads")}
    # A configuration without a kind is a masked autoencoder's.
    known -= {"model.kind"} - given
    if loaded.model.kind == "masked_autoencoder":
        assert known - given in ({"model.encoder.preset"}, sizes)
    else:
        assert known == given
    with torch.device("meta"):
        build_network(loaded.model)


@pytest.mark.parametrize("name", FULL)
def test_smoke_version_keeps_the_objective_and_the_kind_of_data(name):
    full, smoke = experiment(name), experiment(f"smoke_{name}")
    assert smoke.objective == full.objective
    assert smoke.data.kind == full.data.kind
    assert smoke.model.frames == full.model.frames
    assert smoke.trainer.epochs <= 5


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


def test_fine_tuning_starts_from_pre_training_of_the_same_geometry():
    before, after = experiment("video_mae"), experiment("video_finetune")
    assert str(after.init) == "runs/video_mae/checkpoints/best.safetensors"
    ignored = {"encoder": {"drop_path"}}
    assert before.model.model_dump(exclude=ignored) == after.model.model_dump(exclude=ignored)


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
    expected["data"]["manifest"] = f"data/{corpus}/manifest.csv"
    if corpus == "dfdc":
        for split in ("train", "val"):
            expected["data"][split] |= {"manipulations": [], "compressions": []}
    if method == "mae":
        expected["objective"]["mask_ratio"] = int(ratio) / 100
    assert stage.model_dump(mode="json") == expected


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_faceforensics_experiments_name_the_papers_manipulations_and_compression(path):
    data = experiment(path.stem).data
    if str(getattr(data, "manifest", "")).startswith("data/ffpp/"):
        for selection in (data.train, data.val):
            assert selection.manipulations == MANIPULATIONS
            assert selection.compressions == ("c23",)


def test_every_row_of_the_paper_is_a_configuration():
    assert set(TABLE_8) <= {*CHAINS, *FULL}


def test_baselines_train_and_judge_as_the_rows_beside_them():
    ours = experiment("video_scratch")
    for name in ("video_efficientnet_b7", "video_cross_efficient_vit"):
        baseline = experiment(name)
        assert baseline.data == ours.data
        assert baseline.augmentation == ours.augmentation
        assert baseline.objective.class_weight == ours.objective.class_weight
        assert baseline.model.frames == ours.model.frames
