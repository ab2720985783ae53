"""The light frame model: its logits, its map, its layers, and what it starts from."""

from functools import partial

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torch.nn import functional as F

from deepfake_ssat.config import FrameModelSettings
from deepfake_ssat.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from deepfake_ssat.models.efficientnet_lite import EfficientNetLite, folded_weights
from deepfake_ssat.models.kinds import build_network, load_initial
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.models.pretrained import load_initial_weights
from tests.models import refusals
from tests.models.published_lite import published_lite
from tests.models.tiny import HYBRID, VIDEO

STILL = FrameModelSettings(image_size=64)
CLIP = FrameModelSettings(image_size=64, frames=4, frames_used=2)


def network(settings=STILL, seed=0):
    torch.manual_seed(seed)
    return build_network(settings).eval()


def clips_for(settings, count=2):
    shape = (count, 3, settings.frames, settings.image_size, settings.image_size)
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def same_weights(module, other):
    theirs = other.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in module.state_dict().items())


def test_logits_are_a_linear_map_of_the_mean_over_the_picture():
    model = network()
    clips = clips_for(STILL)
    with torch.inference_mode():
        cells = model.stem(clips[:, :, 0]).flatten(2)
        expected = cells.sum(dim=2) / 4 @ model.head.weight.T + model.head.bias
        torch.testing.assert_close(model(clips), expected)


def test_clip_is_the_mean_of_its_frames():
    model, still = network(CLIP), network(STILL)
    clips = clips_for(CLIP)
    with torch.inference_mode():
        expected = (still(clips[:, :, 1:2]) + still(clips[:, :, 3:4])) / 2
        torch.testing.assert_close(model(clips), expected)


def test_evidence_adds_up_to_what_the_features_say_for_fake():
    model = network()
    clips = clips_for(STILL, 1)
    cells = model.evidence_map(clips)
    assert cells.shape == (1, 1, 2, 2)
    with torch.inference_mode():
        features = model.stem(clips[:, :, 0])
        # The head is linear: each cell speaks by its own features.
        parts = F.conv2d(features, (model.head.weight[1] - model.head.weight[0])[None, :, None, None]) / 4
    torch.testing.assert_close(cells[0, 0], parts[0, 0].clamp_min(0.0))


def test_layers_count_the_blocks_from_the_pixels():
    numbers = network().layer_numbers()
    assert numbers["stem.stem.0.weight"] == 0
    assert numbers["stem.blocks.0.layers.0.0.weight"] == 1
    assert max(numbers.values()) == len(EfficientNetLite().blocks) == 16
    assert not [name for name in numbers if name.startswith("head")]


def test_frozen_blocks_get_no_gradient_and_the_others_do():
    model = network().train()
    model.stem.freeze(3)
    model(clips_for(STILL)).square().sum().backward()
    without = {name for name, value in model.named_parameters() if value.grad is None}
    frozen = [f"stem.blocks.{block}." for block in range(3)]
    assert without == {
        name for name, _ in model.named_parameters() if name.startswith(("stem.stem.", *frozen))
    }


def test_there_is_no_running_statistic_that_freezing_would_have_to_stop():
    assert not list(network().buffers())


def test_checkpoint_comes_back(tmp_path):
    model = network()
    save_checkpoint(tmp_path / "frame.safetensors", Checkpoint(model, STILL))
    loaded = load_checkpoint(tmp_path / "frame.safetensors")
    assert loaded.settings == STILL
    assert same_weights(model, loaded.model)


def test_pictures_of_other_channels_are_refused():
    with pytest.raises(ValidationError, match="channels is 1, a frame model needs 3"):
        FrameModelSettings(channels=1, mean=(0.5,), std=(0.5,))


@pytest.mark.slow
@pytest.mark.parametrize("settings", [STILL, CLIP], ids=["still", "clip"])
def test_another_frame_model_brings_its_head(tmp_path, settings):
    before, model = network(seed=5), network(settings)
    save_checkpoint(tmp_path / "frame.safetensors", Checkpoint(before, STILL))
    lines = load_initial(model, tmp_path / "frame.safetensors")
    assert "head: from the same file" in lines
    assert same_weights(model, before)


def test_weights_alone_in_half_precision_are_a_frame_model(tmp_path):
    before, model = network(seed=5), network()
    halves = {name: value.half().contiguous() for name, value in before.state_dict().items()}
    save_file(halves, tmp_path / "export.safetensors")
    load_initial(model, tmp_path / "export.safetensors")
    assert {value.dtype for value in model.state_dict().values()} == {torch.float32}
    assert all(torch.equal(value, halves[name].float()) for name, value in model.state_dict().items())


@pytest.mark.slow
def test_head_of_other_classes_stays_as_initialised(tmp_path):
    save_checkpoint(tmp_path / "frame.safetensors", Checkpoint(network(seed=5), STILL))
    model = network(FrameModelSettings(image_size=64, num_classes=10))
    head = model.head.weight.clone()
    lines = load_initial(model, tmp_path / "frame.safetensors")
    assert "head: left as initialised, the file has none for 10 classes" in lines
    assert torch.equal(model.head.weight, head)


@pytest.mark.slow
def test_published_weights_start_the_convolutions_alone(tmp_path):
    weights = published_lite()
    torch.save(weights, tmp_path / "lite0.pth")
    model = network()
    head = model.head.weight.clone()
    load_initial(model, tmp_path / "lite0.pth")
    expected = folded_weights(weights, EfficientNetLite())
    assert all(torch.equal(value, expected[name]) for name, value in model.stem.state_dict().items())
    assert torch.equal(model.head.weight, head)


@pytest.mark.slow
def test_stem_goes_from_a_masked_autoencoder_to_a_frame_model_and_back(tmp_path):
    torch.manual_seed(2)
    hybrid = MaskedAutoencoder(HYBRID).eval()
    save_checkpoint(tmp_path / "hybrid.safetensors", Checkpoint(hybrid, HYBRID))
    model = network()
    lines = load_initial(model, tmp_path / "hybrid.safetensors")
    assert same_weights(hybrid.encoder.stem, model.stem)
    assert "head: left as initialised, the file has none for 2 classes" in lines
    save_checkpoint(tmp_path / "frame.safetensors", Checkpoint(model, STILL))
    torch.manual_seed(3)
    other = MaskedAutoencoder(HYBRID).eval()
    head = other.head.weight.clone()
    load_initial_weights(other, tmp_path / "frame.safetensors")
    assert same_weights(model.stem, other.encoder.stem)
    assert torch.equal(other.head.weight, head)


refusal = partial(refusals.refusal, load_initial)


@pytest.mark.slow
def test_files_without_such_convolutions_are_refused(tmp_path):
    torch.save({"conv.weight": torch.zeros(3)}, tmp_path / "other.pth")
    assert "is no EfficientNet-Lite0" in refusal(network(), tmp_path / "other.pth")
    torch.manual_seed(0)
    save_checkpoint(tmp_path / "video.safetensors", Checkpoint(MaskedAutoencoder(VIDEO), VIDEO))
    assert "encoder.stem.stem.0.weight is missing" in refusal(network(), tmp_path / "video.safetensors")
    cut = network(seed=5).state_dict()
    cut["stem.blocks.15.layers.0.0.weight"] = torch.zeros(3)
    save_file(cut, tmp_path / "cut.safetensors")
    assert "stem.blocks.15.layers.0.0.weight is (3,), not" in refusal(network(), tmp_path / "cut.safetensors")


def test_a_model_without_such_a_stem_refuses_a_frame_model(tmp_path):
    save_checkpoint(tmp_path / "frame.safetensors", Checkpoint(network(), STILL))
    reason = refusal(MaskedAutoencoder(VIDEO), tmp_path / "frame.safetensors")
    assert "holds a model of kind frame_model, the configuration's is masked_autoencoder" in reason
