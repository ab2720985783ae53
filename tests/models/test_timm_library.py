"""Weights that timm publishes, out of a hub's cache that the test makes, and without one."""

from pathlib import Path

import huggingface_hub
import pytest
import timm
import torch
from safetensors.torch import save_file

from deepfake_ssat.config import FrameClassifierSettings, ModelSettings
from deepfake_ssat.errors import CheckpointError
from deepfake_ssat.models.kinds import build_network, load_initial

FRAME = FrameClassifierSettings(backbone="test_resnet", frames=1, frames_used=1, image_size=32, num_classes=3)
VIT = ModelSettings.model_validate(
    {
        "frames": 1,
        "tubelet": 1,
        "image_size": 160,
        "patch": 16,
        "num_classes": 1000,
        "pooling": "class_token",
        "positions": "learned",
        "qkv_bias": "qkv",
        "encoder": {"width": 64, "depth": 6, "heads": 2, "mlp_ratio": 3.0},
        "decoder": {"width": 16, "depth": 1, "heads": 2},
    }
)
"""timm's test_vit."""


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Puts timm's network under a name into an otherwise empty cache, and cuts the network off."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)

    def publish(name):
        torch.manual_seed(5)
        network = timm.create_model(name)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.02)
        folder = tmp_path / f"models--timm--{name}" / "snapshots/0123"
        folder.mkdir(parents=True)
        save_file(network.state_dict(), folder / "model.safetensors")
        (folder.parents[1] / "refs").mkdir()
        (folder.parents[1] / "refs/main").write_text("0123")
        return network.eval()

    return publish


def test_residual_network_starts_from_what_timm_published(hub):
    theirs, model = hub("test_resnet.r160_in1k"), build_network(FRAME)
    report = load_initial(model, Path("timm:test_resnet.r160_in1k"))
    assert report[0].endswith("weights come from timm:test_resnet.r160_in1k")
    own = model.backbone.state_dict()
    assert all(torch.equal(value, own[name]) for name, value in theirs.state_dict().items() if name in own)


def test_vit_with_learned_positions_gives_timms_logits(hub):
    theirs, model = hub("test_vit.r160_in1k"), build_network(VIT).eval()
    report = load_initial(model, Path("timm:test_vit.r160_in1k"))
    assert report[1:] == ["decoder: left as initialised, the file has no complete one"]
    pictures = torch.randn(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = theirs(pictures)
        torch.testing.assert_close(model(pictures.unsqueeze(2)), expected, atol=1e-4, rtol=1e-4)
    assert expected.std() > 0.1


def test_learned_positions_are_interpolated_as_timm_does(hub):
    hub("test_vit.r160_in1k")
    theirs = timm.create_model("test_vit.r160_in1k", pretrained=True, img_size=96).eval()
    model = build_network(ModelSettings.model_validate(VIT.model_dump() | {"image_size": 96})).eval()
    report = load_initial(model, Path("timm:test_vit.r160_in1k"))
    assert "positions: 100 of the file, interpolated to a grid of (1, 6, 6) tokens" in report
    pictures = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(model(pictures.unsqueeze(2)), theirs(pictures), atol=1e-4, rtol=1e-4)


def test_weights_out_of_reach_are_told_in_one_line(hub):
    with pytest.raises(
        CheckpointError, match=r"init timm:test_resnet\.r160_in1k: is not in the cache"
    ) as caught:
        load_initial(build_network(FRAME), Path("timm:test_resnet.r160_in1k"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("test_resnet.in22k", "publishes no such weights; it has test_resnet.r160_in1k"),
        ("tset_resnet.r160_in1k", "publishes no such weights; it has test_resnet"),
        ("no-such-thing-at-all", "publishes no such weights"),
    ],
)
def test_name_that_timm_does_not_know_is_answered_with_its_neighbours(name, message):
    with pytest.raises(CheckpointError, match=message):
        load_initial(build_network(FRAME), Path(f"timm:{name}"))
