"""The frame model through the verbs, and on into the stem of a masked autoencoder that trains it along."""

import csv
import json

import pytest
import torch
from safetensors.torch import load_file

from deepfake_ssat.commands import calibrate, detect, evaluate
from deepfake_ssat.commands.train import run
from deepfake_ssat.config import FrameModelSettings
from deepfake_ssat.models.checkpoint import load_checkpoint
from tests.manifests import make_manifest, tiny_videos
from tests.models.tiny import HYBRID, changed
from tests.portraits import portrait_frames
from tests.training.runs import tiny_values, write_config
from tests.videos import write_video

MODEL = FrameModelSettings(image_size=64)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    # As many to validate on as calibration needs.
    videos = tiny_videos(2, ("train", "test")) + tiny_videos(5, ("val",))
    return make_manifest(tmp_path_factory.mktemp("clips"), videos, size=48, frames=8, clip_frames=4)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, manifest):
    """The checkpoint of a short run, and its configuration."""
    folder = tmp_path_factory.mktemp("frame_model")
    values = tiny_values(
        manifest.root,
        objective={"name": "scratch"},
        data={"clips_per_face": 2},
        optimizer={
            "base_learning_rate": 0.1,
            "ema_decay": 0.5,
            "frozen_stem_blocks": 2,
            "flat_part": 0.5,
            "warmup_epochs": 0.5,
        },
        augmentation={"name": "platforms", "framing": {}},
        trainer={"precision": "bf16_products"},
    ) | {"model": MODEL.model_dump(mode="json")}
    file = write_config(folder / "frame_model.yaml", values)
    assert run(file, out=folder / "run") == 0
    return folder / "run/checkpoints/best.safetensors", file


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_weights_are_kept_averaged_with_the_first_blocks_as_they_were(trained):
    checkpoint = load_checkpoint(trained[0])
    assert checkpoint.kind == "frame_model"
    torch.manual_seed(3)
    before = type(checkpoint.model)(MODEL).state_dict()
    changed_names = {
        name for name, value in checkpoint.model.state_dict().items() if not torch.equal(value, before[name])
    }
    assert not [
        name for name in changed_names if name.startswith(("stem.stem", "stem.blocks.0.", "stem.blocks.1."))
    ]
    assert {"stem.blocks.2.layers.0.0.weight", "head.weight"} <= changed_names


@pytest.mark.slow
def test_killed_run_repeats_the_undisturbed_one(trained, tmp_path, monkeypatch):
    from deepfake_ssat.training.callbacks import TrainingRows

    write_row = TrainingRows.on_train_batch_end

    def die(self, trainer, *rest):
        write_row(self, trainer, *rest)
        if trainer.global_step == 3:
            raise MemoryError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(TrainingRows, "on_train_batch_end", die)
        with pytest.raises(MemoryError):
            run(trained[1], out=tmp_path / "killed")
    run(trained[1], out=tmp_path / "killed")
    assert rows(tmp_path / "killed") == rows(trained[0].parents[1])
    left, right = (
        load_file(tmp_path / "killed/checkpoints/last.safetensors"),
        load_file(trained[0].with_name("last.safetensors")),
    )
    assert all(torch.equal(value, right[name]) for name, value in left.items())


@pytest.mark.slow
def test_checkpoint_is_calibrated_and_evaluated(trained, manifest, tmp_path):
    final = tmp_path / "final.safetensors"
    assert calibrate.run(trained[0], [manifest.root], final) == 0
    assert evaluate.run(final, manifest.root, tmp_path / "out") == 0
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["scoring"]["unit"] == "frame"


@pytest.mark.slow
def test_video_is_judged_and_its_page_has_heat_maps(trained, tmp_path):
    video = write_video(tmp_path / "face.mp4", portrait_frames(24))
    page = tmp_path / "page.html"
    detect.run([video], trained[0], json_file=tmp_path / "out.json", report=page, device="cpu")
    judged = json.loads((tmp_path / "out.json").read_text())["videos"][0]
    assert judged["status"] == "scored"
    assert "Grad-CAM" in page.read_text()


@pytest.mark.slow
def test_stem_of_a_masked_autoencoder_starts_from_it_and_is_trained_along(trained, tmp_path, manifest):
    model = changed(HYBRID, image_size=64)
    values = tiny_values(
        manifest.root,
        init=str(trained[0]),
        optimizer={"stem_rate": 0.1, "frozen_stem_blocks": 4},
        trainer={"epochs": 1, "reconstruction_samples": 0},
    ) | {"model": model.model_dump(mode="json")}
    values["optimizer"]["warmup_epochs"] = 0
    file = write_config(tmp_path / "along.yaml", values)
    assert run(file, out=tmp_path / "run") == 0
    before, after = load_file(trained[0]), load_file(tmp_path / "run/checkpoints/last.safetensors")
    moved = {
        int(name.split(".")[2])
        for name, value in before.items()
        if name.startswith("stem.blocks.") and not torch.equal(value, after[f"encoder.{name}"])
    }
    assert moved == set(range(4, 16))
