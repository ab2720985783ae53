"""The baselines through the verbs: trained, resumed, evaluated, held out, exported, explained like ours."""

import csv
import json
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file

from deepfake_ssat.commands import cross_manipulation, detect, evaluate
from deepfake_ssat.commands.train import run
from deepfake_ssat.config import load_experiment
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.models.checkpoint import load_checkpoint
from deepfake_ssat.records import FAKE
from tests.manifests import make_manifest, tiny_videos
from tests.models.baselines.tiny import BACKBONE, CROSS, FRAME
from tests.portraits import portrait_frames
from tests.training.runs import tiny_values, write_config
from tests.videos import write_video

CONFIGS = Path(__file__).parents[2] / "configs"
BOTH = pytest.mark.parametrize("settings", [FRAME, CROSS], ids=lambda settings: settings.kind)
TRANSFORMER = {
    "encoder": {"width": 32, "depth": 1, "heads": 2},
    "decoder": {"width": 16, "depth": 1, "heads": 2},
}
ROWS = {
    "video_scratch": TRANSFORMER,
    "video_ffpp_finetune_095": TRANSFORMER,
    "video_ffpp_finetune_075": TRANSFORMER,
    "video_ffpp_ssat_095": TRANSFORMER,
    "video_ffpp_ssat_075": TRANSFORMER,
    "video_ssat_visible": TRANSFORMER,
    "video_efficientnet_b7": {"backbone": BACKBONE},
    "video_cross_efficient_vit": CROSS.model_dump(mode="json"),
}
"""Each configuration of table 8, and SSAT in one pass, with what makes its network small."""


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    videos = tiny_videos(2)
    videos += [video for video in tiny_videos(1, manipulation="FaceSwap") if video.label == FAKE]
    return make_manifest(tmp_path_factory.mktemp("clips"), videos, frames=8, clip_frames=4)


@pytest.fixture
def config(tmp_path, manifest):
    def write(settings, **changes):
        changes = {"objective": {"name": "scratch"}, **changes}
        values = tiny_values(manifest.root, **changes) | {"model": settings.model_dump(mode="json")}
        return write_config(tmp_path / "tiny.yaml", values)

    return write


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_every_row_of_table_8_is_a_configuration_that_trains(name, tmp_path, manifest):
    changes = [
        f"data.manifest={manifest.root}",
        "init=null",
        "optimizer.batch_size=6",
        "optimizer.warmup_epochs=0",
        "trainer.epochs=1",
        "trainer.precision=fp32",
        "trainer.workers=0",
        "trainer.log_every_steps=1",
        "trainer.reconstruction_samples=0",
        "model.frames=4",
        "model.image_size=64",
        *(f"model.{key}={json.dumps(value)}" for key, value in ROWS[name].items()),
    ]
    assert run(CONFIGS / f"{name}.yaml", changes, tmp_path / "run") == 0
    assert [row["step"] for row in rows(tmp_path / "run") if row["loss"]] == ["1"]
    checkpoint = load_checkpoint(tmp_path / "run/checkpoints/best.safetensors")
    assert checkpoint.kind == load_experiment(CONFIGS / f"{name}.yaml").model.kind
    assert 0 <= checkpoint.metrics["val_video_auc"] <= 1


@pytest.mark.parametrize("objective", ["ssat", "mae", "ssat_visible", "supmae"])
def test_objective_that_reconstructs_is_refused_in_one_line(objective, config):
    file = config(FRAME)
    with pytest.raises(ConfigError) as caught:
        load_experiment(file, [f"objective.name={objective}"])
    assert str(caught.value) == (
        f"{file}: objective.name {objective} needs a network with a decoder, model.kind frame_classifier "
        "has none: set objective.name to scratch"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "model.kind=resnet",
            "model.kind resnet is not known (valid: masked_autoencoder, ",
        ),
        ("model.frames_use=2", "model.frames_use is no key; did you mean frames_used?"),
        ("model.patch=8", "model.patch is no key"),
        ("model.frames_used=9", "model: frames_used 9 is more than the clip's frames 4"),
    ],
)
def test_misspelt_keys_of_a_baseline_are_answered_with_their_neighbours(change, message, config):
    with pytest.raises(ConfigError) as caught:
        load_experiment(config(FRAME), [change])
    assert message in str(caught.value)


def test_model_without_a_kind_is_a_masked_autoencoder(config, tmp_path, manifest):
    values = tiny_values(manifest.root)
    assert "kind" not in values["model"]
    plain = load_experiment(write_config(tmp_path / "plain.yaml", values))
    values["model"]["kind"] = "masked_autoencoder"
    named = load_experiment(write_config(tmp_path / "named.yaml", values))
    assert plain == named
    with pytest.raises(ConfigError, match=r"model\.tubelets is no key; did you mean tubelet\?"):
        load_experiment(tmp_path / "plain.yaml", ["model.tubelets=2"])


@pytest.mark.slow
@BOTH
def test_training_starts_from_weights_of_the_backbone_and_says_what_matched(
    settings, config, tmp_path, capsys
):
    torch.save(timm.create_model(BACKBONE).state_dict(), tmp_path / "backbone.pth")
    assert run(config(settings, init=str(tmp_path / "backbone.pth")), out=tmp_path / "run") == 0
    assert "weights of the file" in capsys.readouterr().out
    before = torch.load(tmp_path / "backbone.pth", weights_only=True)["conv_stem.weight"]
    place = "backbone" if settings is FRAME else "large.backbone"
    after = load_file(tmp_path / "run/checkpoints/last.safetensors")[f"{place}.conv_stem.weight"]
    assert 0 < (after - before).abs().max() < 0.1


@pytest.fixture(
    scope="module",
    params=[FRAME, pytest.param(CROSS, marks=pytest.mark.slow)],
    ids=lambda settings: settings.kind,
)
def trained(request, tmp_path_factory, manifest):
    """The checkpoint of a short run, and its configuration."""
    folder = tmp_path_factory.mktemp(request.param.kind)
    values = tiny_values(
        manifest.root,
        objective={"name": "scratch"},
        optimizer={"ema_decay": 0.9, "layer_decay": 0.75},
        augmentation={"mixup": 0.5},
    )
    values |= {"model": request.param.model_dump(mode="json")}
    file = write_config(folder / "tiny.yaml", values)
    run(file, out=folder / "run")
    return folder / "run/checkpoints/best.safetensors", file


@pytest.mark.slow
def test_killed_run_repeats_the_undisturbed_one_running_statistics_included(trained, tmp_path, monkeypatch):
    from deepfake_ssat.training.callbacks import TrainingRows

    write_row = TrainingRows.on_train_batch_end

    def die(self, trainer, *rest):
        write_row(self, trainer, *rest)
        if trainer.global_step == 3:
            raise MemoryError("killed")

    whole, file = trained[0].parents[1], trained[1]
    with monkeypatch.context() as patch:
        patch.setattr(TrainingRows, "on_train_batch_end", die)
        with pytest.raises(MemoryError):
            run(file, out=tmp_path / "killed")
    run(file, out=tmp_path / "killed")
    assert rows(tmp_path / "killed") == rows(whole)
    left, right = (
        load_file(folder / "checkpoints/last.safetensors") for folder in (tmp_path / "killed", whole)
    )
    assert all(torch.equal(value, right[name]) for name, value in left.items())


@pytest.mark.slow
def test_checkpoint_is_evaluated_with_the_same_metrics(trained, manifest, tmp_path):
    assert evaluate.run(trained[0], manifest.root, tmp_path / "out") == 0
    with (tmp_path / "out/videos.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 5


@pytest.mark.slow
def test_manipulation_is_held_out_of_a_baseline(trained, tmp_path):
    changes = ["trainer.epochs=1", "optimizer.warmup_epochs=0"]
    assert cross_manipulation.run(trained[1], tmp_path, changes, hold_out=["FaceSwap"]) == 0
    assert (tmp_path / "table.md").is_file()


@pytest.mark.slow
def test_video_is_judged_and_its_page_has_heat_maps(trained, tmp_path):
    video = write_video(tmp_path / "face.mp4", portrait_frames(24))
    page = tmp_path / "page.html"
    detect.run([video], trained[0], json_file=tmp_path / "out.json", report=page, device="cpu")
    judged = json.loads((tmp_path / "out.json").read_text())["videos"][0]
    assert judged["status"] == "scored"
    assert "Grad-CAM" in page.read_text()


@pytest.mark.slow
def test_onnx_file_gives_torchs_probabilities(trained, tmp_path):
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    from deepfake_ssat.commands import export

    assert export.run(trained[0], tmp_path / "detector.onnx") == 0
    assert (tmp_path / "detector.onnx").stat().st_size > 100_000
