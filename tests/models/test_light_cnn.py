import pytest
import torch
from pydantic import ValidationError
from torchvision.models.resnet import BasicBlock

from deepfake_ssat.config.light_cnn import LightCnnSettings
from deepfake_ssat.errors import CheckpointError
from deepfake_ssat.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from deepfake_ssat.models.kinds import load_initial
from deepfake_ssat.models.light_cnn import LightCnn

SMALL = LightCnnSettings(depth=8, width=4, image_size=16)


def small(**changes) -> LightCnn:
    torch.manual_seed(0)
    return LightCnn(LightCnnSettings(**SMALL.model_dump() | changes)).eval()


def test_resnet_56_has_the_published_size_and_three_stages():
    model = LightCnn(LightCnnSettings(num_classes=10)).eval()
    # 0.85 M in He et al., table 6; they have no weights in the two shortcuts that change the size.
    count = sum(parameter.numel() for name, parameter in model.named_parameters() if "shortcut" not in name)
    assert count == pytest.approx(0.85e6, rel=0.01)
    convolutions = [module for module in model.modules() if isinstance(module, torch.nn.Conv2d)]
    assert len([layer for layer in convolutions if layer.kernel_size == (3, 3)]) == 55
    shapes = [tuple(maps.shape) for maps in model.stage_maps(torch.zeros(1, 3, 32, 32))]
    assert shapes == [(1, 16, 32, 32), (1, 32, 16, 16), (1, 64, 8, 8)]


def test_logits_are_those_of_torchvisions_blocks_with_the_same_weights():
    """He et al.'s network is torchvision's basic block, three stages of it, behind one convolution."""
    model = LightCnn(LightCnnSettings(**SMALL.model_dump() | {"depth": 14})).eval()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.copy_(torch.rand(value.shape, generator=generator) * 0.6 + 0.1)
    pictures = torch.randn(2, 3, 16, 16, generator=generator)
    maps = torch.relu(model.stem_norm(model.stem(pictures)))
    for ours in (block for stage in model.stages for block in stage):
        before, width, stride = ours.first.in_channels, ours.first.out_channels, ours.first.stride[0]
        joined = isinstance(ours.shortcut, torch.nn.Conv2d)
        downsample = torch.nn.Sequential(ours.shortcut, ours.shortcut_norm) if joined else None
        theirs = BasicBlock(before, width, stride, downsample).eval()
        for name, part in (
            ("conv1", "first"),
            ("bn1", "first_norm"),
            ("conv2", "second"),
            ("bn2", "second_norm"),
        ):
            getattr(theirs, name).load_state_dict(getattr(ours, part).state_dict())
        maps = theirs(maps)
    expected = model.head(torch.nn.functional.adaptive_avg_pool2d(maps, 1).flatten(1))
    torch.testing.assert_close(model.classify(pictures[:, :, None]), expected)


def test_layers_are_numbered_from_the_pixels():
    model = small()
    numbers = model.layer_numbers()
    assert numbers["stem.weight"] == numbers["stem_norm.bias"] == 0
    assert sorted(set(numbers.values())) == [0, 1, 2, 3]
    assert {name for name, _ in model.named_parameters()} - numbers.keys() == {"head.weight", "head.bias"}


def test_evidence_lies_over_the_last_stage():
    evidence = small().evidence_map(torch.randn(2, 3, 1, 16, 16))
    assert evidence.shape == (2, 1, 4, 4)
    assert (evidence >= 0).all()


def test_checkpoint_comes_back_and_starts_another_run(tmp_path):
    model, path = small(), tmp_path / "cnn.safetensors"
    clips = torch.randn(2, 3, 1, 16, 16)
    save_checkpoint(path, Checkpoint(model, model.settings))
    torch.testing.assert_close(load_checkpoint(path).model.classify(clips), model.classify(clips))
    other = small(num_classes=3)
    lines = load_initial(other, path)
    torch.testing.assert_close(other.stages[2][0].first.weight, model.stages[2][0].first.weight)
    assert any("head: left as initialised" in line for line in lines)
    torch.save(model.state_dict(), tmp_path / "plain.pt")
    with pytest.raises(CheckpointError, match="no checkpoint of a light_cnn"):
        load_initial(other, tmp_path / "plain.pt")


def test_depth_must_be_one_that_exists():
    with pytest.raises(ValidationError, match=r"depth 55 is not 6 n \+ 2"):
        LightCnnSettings(depth=55)
