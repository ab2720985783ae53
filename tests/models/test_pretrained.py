"""Initial weights under other names, sizes and biases; parity with Hugging Face is in test_parity."""

import argparse
from functools import partial

import pytest
import torch
from safetensors.torch import save_file

from deepfake_ssat.models.checkpoint import Checkpoint, save_checkpoint
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.models.patches import tube_mask
from deepfake_ssat.models.positions import position_table
from deepfake_ssat.models.pretrained import load_initial_weights
from tests.models import refusals
from tests.models.tiny import ENCODER, IMAGE, VIDEO, changed


def random_model(settings, seed: int) -> MaskedAutoencoder:
    """A model whose every weight is random, norms and biases too."""
    torch.manual_seed(seed)
    model = MaskedAutoencoder(settings).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def convolution(weight: torch.Tensor, frames: int, patch: int) -> torch.Tensor:
    """(D, t p p C) in our order -> (D, C, t, p, p) as the authors store it."""
    return weight.reshape(len(weight), frames, patch, patch, 3).permute(0, 4, 1, 2, 3).contiguous()


def renamed(weights: dict, pairs: dict[str, str]) -> dict:
    result = {}
    for name, value in weights.items():
        for ours, theirs in pairs.items():
            name = name.replace(ours, theirs)
        result[name] = value
    return result


def mae_weights(model: MaskedAutoencoder) -> dict:
    """Our model under the names of MAE's authors (models_mae.py)."""
    weights = renamed(
        model.state_dict(),
        {
            "decoder.blocks": "decoder_blocks",
            "decoder.embed": "decoder_embed",
            "decoder.norm": "decoder_norm",
            "decoder.predict": "decoder_pred",
            "decoder.mask_token": "mask_token",
            "encoder.class_token": "cls_token",
            "encoder.patch_embed": "patch_embed.proj",
            "encoder.": "",
            "attention.projection": "attn.proj",
            "attention.": "attn.",
        },
    )
    weights["patch_embed.proj.weight"] = convolution(weights["patch_embed.proj.weight"], 1, 8)[:, :, 0]
    zeros = torch.zeros(1, 1, 48)
    weights["pos_embed"] = torch.cat([zeros, position_table("sincos_2d", (1, 4, 4), 48)[None]], dim=1)
    weights["decoder_pos_embed"] = torch.zeros(1, 17, 32)
    return weights


def videomae_weights(model: MaskedAutoencoder) -> dict:
    """Our model under the names of VideoMAE's authors (modeling_pretrain.py)."""
    weights = renamed(
        model.state_dict(),
        {
            "decoder.embed": "encoder_to_decoder",
            "decoder.predict": "decoder.head",
            "decoder.mask_token": "mask_token",
            "encoder.patch_embed": "encoder.patch_embed.proj",
            "attention.projection": "attn.proj",
            "attention.": "attn.",
        },
    )
    weights["encoder.patch_embed.proj.weight"] = convolution(weights["encoder.patch_embed.proj.weight"], 2, 8)
    del weights["encoder_to_decoder.bias"]
    return {name: value for name, value in weights.items() if not name.startswith(("head.", "head_norm."))}


def reconstruct(model: MaskedAutoencoder, seed: int = 5) -> torch.Tensor:
    settings = model.settings
    generator = torch.Generator().manual_seed(seed)
    shape = (2, 3, settings.frames, settings.image_size, settings.image_size)
    clips = torch.randn(shape, generator=generator)
    return model.reconstruct(clips, tube_mask(2, settings.grid, 0.75, generator, "cpu"))


refusal = partial(refusals.refusal, load_initial_weights)


@pytest.fixture
def mae_file(tmp_path):
    """MAE's weights as its authors publish them, and our model that they are of."""
    source = random_model(IMAGE, 1)
    path = tmp_path / "mae.pth"
    weights = {name: value for name, value in mae_weights(source).items() if not name.startswith("head")}
    torch.save({"model": weights, "epoch": 3, "args": argparse.Namespace(lr=1e-3)}, path)
    return source, path


@pytest.fixture
def videomae_file(tmp_path):
    """VideoMAE's weights as its authors publish them, and our model that they are of."""
    source = random_model(VIDEO, 2)
    with torch.no_grad():
        source.decoder.embed.bias.zero_()
    path = tmp_path / "videomae.pth"
    torch.save({"model": videomae_weights(source)}, path)
    return source, path


def test_names_of_the_authors_of_mae(mae_file):
    source, path = mae_file
    model = random_model(IMAGE, 9)
    report = load_initial_weights(model, path)
    torch.testing.assert_close(reconstruct(model), reconstruct(source))
    assert report[1:] == ["head: left as initialised, the file has no complete one"]


def test_names_of_the_authors_of_videomae(videomae_file):
    source, path = videomae_file
    model = random_model(VIDEO, 9)
    report = load_initial_weights(model, path)
    torch.testing.assert_close(reconstruct(model), reconstruct(source))
    assert [line.split(":")[0] for line in report[1:]] == ["positions", "head_norm", "head"]
    assert "model.position_grid=[8, 14, 14]" in report[1]


def test_fine_tuned_videomae_brings_its_head(tmp_path):
    source = random_model(VIDEO, 3)
    weights = renamed(videomae_weights(source), {"encoder.": ""})
    weights |= {"fc_norm.weight": source.head_norm.weight, "fc_norm.bias": source.head_norm.bias}
    weights |= {"head.weight": source.head.weight, "head.bias": source.head.bias}
    del weights["norm.weight"], weights["norm.bias"]
    path = tmp_path / "videomae.bin"
    torch.save({"module": weights}, path)
    model = random_model(VIDEO, 9)
    report = load_initial_weights(model, path)
    clips = torch.randn(1, 3, 4, 32, 32)
    torch.testing.assert_close(model.classify(clips), source.classify(clips))
    assert any("encoder.norm.weight" in line for line in report)


def test_own_checkpoint_starts_a_model_of_other_classes_and_frames(tmp_path):
    source = random_model(VIDEO, 4)
    path = tmp_path / "best.safetensors"
    save_checkpoint(path, Checkpoint(source, VIDEO))
    model = random_model(changed(VIDEO, num_classes=5, frames=8, image_size=64), 9)
    head = model.head.weight.clone()
    report = load_initial_weights(model, path)
    assert torch.equal(model.encoder.blocks[2].mlp.fc1.weight, source.encoder.blocks[2].mlp.fc1.weight)
    assert torch.equal(model.head.weight, head)
    assert any(line.startswith("head: left as initialised") and "(5, 48)" in line for line in report)
    assert any("model.position_grid=[2, 4, 4] interpolates" in line for line in report)
    table = position_table("sincos_1d", (4, 8, 8), 48)
    torch.testing.assert_close(model.encoder.positions[0], table)


def test_image_weights_are_inflated_so_that_a_still_clip_gives_the_same_tokens(mae_file):
    source, path = mae_file
    video = changed(IMAGE, frames=2, tubelet=2)
    model = random_model(video, 9)
    report = load_initial_weights(model, path)
    image = torch.randn(2, 3, 1, 32, 32)
    still = image.repeat(1, 1, 2, 1, 1)
    torch.testing.assert_close(model.encoder(still), source.encoder(image))
    mask = tube_mask(2, (1, 4, 4), 0.75, None, "cpu")
    prediction = model.reconstruct(still, mask).reshape(2, 12, 2, -1)
    torch.testing.assert_close(prediction[:, :, 0], source.reconstruct(image, mask))
    torch.testing.assert_close(prediction[:, :, 1], source.reconstruct(image, mask))
    assert any("tubelets of 1 to tubelets of 2" in line for line in report)
    longer = random_model(changed(IMAGE, frames=6, tubelet=2), 9)
    assert not any(line.startswith("positions") for line in load_initial_weights(longer, path))


def test_video_weights_serve_single_images(videomae_file):
    source, path = videomae_file
    model = random_model(changed(VIDEO, frames=1, tubelet=1), 9)
    load_initial_weights(model, path)
    image = torch.randn(2, 3, 1, 32, 32)
    still = image.repeat(1, 1, 2, 1, 1)
    embedded = [
        network.encoder.patch_embed(
            clips.permute(0, 3, 4, 2, 1)[:, :8, :8].permute(0, 3, 1, 2, 4).reshape(2, -1)
        )
        for network, clips in ((model, image), (source, still))
    ]
    torch.testing.assert_close(*embedded)


def test_positions_of_another_grid_can_be_interpolated(mae_file):
    settings = changed(IMAGE, image_size=64, position_grid=(1, 4, 4))
    model = random_model(settings, 9)
    report = load_initial_weights(model, mae_file[1])
    assert not any(line.startswith("positions") for line in report)
    trained = mae_file[0].encoder.positions.reshape(4, 4, 48)
    # At twice the size the middle of four new cells lies where an old cell's middle lay.
    fine = model.encoder.positions.reshape(8, 8, 48)
    torch.testing.assert_close(fine[3:5, 3:5].mean(dim=(0, 1)), trained[1:3, 1:3].mean(dim=(0, 1)))
    torch.testing.assert_close(fine[0, 0], trained[0, 0])


def test_decoder_of_another_size_stays_as_initialised(mae_file):
    model = random_model(changed(IMAGE, decoder={"width": 16, "depth": 1, "heads": 2}), 9)
    before = model.decoder.embed.weight.clone()
    report = load_initial_weights(model, mae_file[1])
    assert torch.equal(model.decoder.embed.weight, before)
    assert any(line.startswith("decoder: left as initialised") for line in report)


def test_key_bias_is_left_out_without_changing_the_network(mae_file):
    source, path = mae_file
    model = random_model(changed(IMAGE, qkv_bias="qv"), 9)
    load_initial_weights(model, path)
    torch.testing.assert_close(reconstruct(model), reconstruct(source), atol=1e-5, rtol=1e-5)


def test_missing_key_bias_is_zero(videomae_file):
    source, path = videomae_file
    model = random_model(changed(VIDEO, qkv_bias="qkv"), 9)
    load_initial_weights(model, path)
    torch.testing.assert_close(reconstruct(model), reconstruct(source), atol=1e-5, rtol=1e-5)


def test_other_positions_are_reported(mae_file, videomae_file, tmp_path):
    model = random_model(changed(IMAGE, positions="sincos_1d"), 9)
    assert any("model.positions=sincos_2d" in line for line in load_initial_weights(model, mae_file[1]))
    model = random_model(changed(VIDEO, positions="sincos_3d"), 9)
    assert any("model.positions=sincos_1d" in line for line in load_initial_weights(model, videomae_file[1]))
    learned = mae_weights(random_model(IMAGE, 1)) | {"pos_embed": torch.randn(1, 17, 48)}
    save_file(learned, tmp_path / "learned.safetensors")
    report = load_initial_weights(random_model(IMAGE, 9), tmp_path / "learned.safetensors")
    assert any("learned ones are replaced" in line for line in report)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"patch": 16}, "set model.patch=8"),
        ({"channels": 1, "mean": (0.5,), "std": (0.5,)}, "set model.channels=3"),
        ({"frames": 12, "tubelet": 4}, "set model.tubelet=2"),
        ({"qkv_bias": "none"}, "set model.qkv_bias=qv"),
        ({"encoder": ENCODER.model_dump() | {"depth": 2}}, "set model.encoder.depth=3"),
        ({"encoder": ENCODER.model_dump() | {"width": 64}}, "encoder width"),
    ],
)
def test_encoder_that_cannot_fit_is_refused_with_the_remedy(videomae_file, changes, remedy):
    assert remedy in refusal(random_model(changed(VIDEO, **changes), 9), videomae_file[1])


class Exploding:
    """Pickled, it runs code when it is read."""

    def __reduce__(self):
        return exec, ("raise SystemExit('code ran')",)


def test_files_that_are_no_weights_of_ours_are_refused(tmp_path):
    model = random_model(IMAGE, 9)
    torch.save({"model": Exploding()}, tmp_path / "evil.pth")
    torch.save([torch.zeros(2)], tmp_path / "list.pt")
    (tmp_path / "text.pth").write_text("hello")
    (tmp_path / "text.safetensors").write_text("hello")
    save_file({"features.0.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    assert "tensors only" in refusal(model, tmp_path / "evil.pth")
    assert "holds a list" in refusal(model, tmp_path / "list.pt")
    refusal(model, tmp_path / "text.pth")
    refusal(model, tmp_path / "text.safetensors")
    assert "none of its 1 weights" in refusal(model, tmp_path / "other.safetensors")
    assert "no such file" in refusal(model, tmp_path / "absent.pth")
    assert "no such file" in refusal(model, tmp_path)


def test_incomplete_encoder_is_refused(tmp_path):
    weights = mae_weights(random_model(IMAGE, 1))
    del weights["blocks.1.mlp.fc2.weight"]
    save_file(weights, tmp_path / "part.safetensors")
    message = refusal(random_model(IMAGE, 9), tmp_path / "part.safetensors")
    assert "encoder.blocks.1.mlp.fc2.weight" in message
