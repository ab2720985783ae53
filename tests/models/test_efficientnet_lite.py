"""The convolutional stem against timm's network, and its weights as published."""

import pytest
import timm
import torch
from safetensors.torch import save_file

from deepfake_ssat.errors import CheckpointError
from deepfake_ssat.models.checkpoint import Checkpoint, save_checkpoint
from deepfake_ssat.models.efficientnet_lite import EfficientNetLite, folded_weights
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.models.pretrained import load_initial_weights
from tests.models.tiny import HYBRID, changed


@pytest.fixture(scope="module")
def network():
    """timm's network with norms that do something."""
    torch.manual_seed(0)
    network = timm.create_model("tf_efficientnet_lite0").eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.1)
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network


@pytest.fixture(scope="module")
def published(network):
    """Its weights under the names of the release."""
    names = {"conv_stem": "_conv_stem", "bn1": "_bn0"}
    blocks = [
        (f"blocks.{s}.{b}", block) for s, stage in enumerate(network.blocks) for b, block in enumerate(stage)
    ]
    for index, (prefix, block) in enumerate(blocks):
        if hasattr(block, "conv_pwl"):
            theirs = ["conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3"]
            ours = ["_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2"]
        else:
            theirs, ours = (
                ["conv_dw", "bn1", "conv_pw", "bn2"],
                ["_depthwise_conv", "_bn1", "_project_conv", "_bn2"],
            )
        names |= {
            f"{prefix}.{their}": f"_blocks.{index}.{our}" for their, our in zip(theirs, ours, strict=True)
        }
    weights = {}
    for name, value in network.state_dict().items():
        module, _, part = name.rpartition(".")
        if module in names:
            weights[f"{names[module]}.{part}"] = value.contiguous()
    return weights


@pytest.mark.slow
@pytest.mark.parametrize("side", [96, 75])
def test_features_are_those_of_timm(network, published, side):
    stem = EfficientNetLite()
    stem.load_state_dict(folded_weights(published, stem))
    pictures = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        expected = network.blocks(network.bn1(network.conv_stem(pictures)))
        # Batch norms are folded: under an old build of torch one of 5,760 values differed by 1.5e-4.
        torch.testing.assert_close(stem(pictures), expected, atol=5e-4, rtol=1e-3)


def test_init_loads_published_weights_into_the_stem(published, tmp_path):
    path = tmp_path / "lite0.safetensors"
    save_file(published, path)
    model = MaskedAutoencoder(HYBRID)
    (line,) = load_initial_weights(model, path)
    assert "stem" in line
    assert str(path) in line
    expected = folded_weights(published, EfficientNetLite())
    for name, value in model.encoder.stem.state_dict().items():
        torch.testing.assert_close(value, expected[name])


def test_weights_of_another_network_are_refused_in_one_line(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"conv.weight": torch.zeros(3)}, path)
    with pytest.raises(CheckpointError, match="is no EfficientNet-Lite0"):
        load_initial_weights(MaskedAutoencoder(HYBRID), path)


@pytest.mark.parametrize("changes", [{"patch": 16}, {"channels": 1, "mean": (0.5,), "std": (0.5,)}])
def test_settings_that_the_stem_cannot_serve_are_refused(changes):
    with pytest.raises(ValueError, match="stem efficientnet_lite0 needs"):
        changed(HYBRID, **changes)


def test_a_checkpoint_of_fewer_frames_is_inflated(tmp_path):
    torch.manual_seed(0)
    still = MaskedAutoencoder(changed(HYBRID, frames=1, tubelet=1)).eval()
    save_checkpoint(tmp_path / "still.safetensors", Checkpoint(still, still.settings))
    video = MaskedAutoencoder(HYBRID).eval()
    load_initial_weights(video, tmp_path / "still.safetensors")
    frame = torch.rand(1, 3, 1, 96, 96, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        torch.testing.assert_close(
            video.encoder.patch_embed(video.encoder._patches(frame.expand(-1, -1, 4, -1, -1), None))[:, :9],
            still.encoder.patch_embed(still.encoder._patches(frame, None)),
            atol=1e-4,
            rtol=1e-3,
        )


def test_pictures_at_a_time_give_what_all_at_once_give():
    net, pictures = EfficientNetLite().eval(), torch.rand(11, 3, 32, 32) * 2 - 1
    with torch.inference_mode():
        parts = net(pictures)
    torch.testing.assert_close(parts, net(pictures).detach())
