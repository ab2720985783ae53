"""Our network and loss against Hugging Face's VideoMAE and ViTMAE with the same random weights."""

import pytest
import torch

from deepfake_ssat.config.model import ModelSettings
from deepfake_ssat.config.training import ObjectiveSettings
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.models.patches import tube_mask
from deepfake_ssat.models.pretrained import load_initial_weights
from deepfake_ssat.objectives import reconstruction_loss
from tests.models.test_positions import mae_table_by_hand
from tests.models.tiny import IMAGE, VIDEO, changed

TOLERANCE = {"rtol": 0.0, "atol": 1e-4}
SIZES = {
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "decoder_hidden_size": 32,
    "decoder_num_hidden_layers": 2,
    "decoder_num_attention_heads": 2,
    "decoder_intermediate_size": 64,
    "layer_norm_eps": 1e-6,
    "image_size": 32,
    "patch_size": 8,
}


@pytest.fixture(scope="module")
def transformers():
    return pytest.importorskip("transformers")


def randomized(network: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Every weight that is trained drawn anew, norms and biases too, so that nothing hides behind 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return network.eval()


def hf_videomae(transformers, name: str, *, pooled: bool, **changes):
    config = transformers.VideoMAEConfig(
        num_frames=4, tubelet_size=2, use_mean_pooling=pooled, num_labels=2, **(SIZES | changes)
    )
    return randomized(getattr(transformers, name)(config))


def hf_vit_mae(transformers, **changes):
    network = transformers.ViTMAEForPreTraining(transformers.ViTMAEConfig(**(SIZES | changes)))
    # transformers leaves zeros here unless a file is loaded.
    for table in (network.vit.embeddings.position_embeddings, network.decoder.decoder_pos_embed):
        table.data[0, 1:] = torch.from_numpy(mae_table_by_hand(4, table.shape[-1]))
        table.data[0, 0] = 0.0
    return randomized(network)


def carried_over(network, settings: ModelSettings, folder) -> MaskedAutoencoder:
    """Our model with the weights of a Hugging Face one, through the file that it saves."""
    network.save_pretrained(folder)
    model = MaskedAutoencoder(settings)
    load_initial_weights(model, folder)
    return model.eval()


def clips_and_mask(settings: ModelSettings, ratio: float = 0.75):
    generator = torch.Generator().manual_seed(1)
    shape = (2, settings.channels, settings.frames, settings.image_size, settings.image_size)
    clips = torch.randn(shape, generator=generator)
    return clips, tube_mask(2, settings.grid, ratio, generator, "cpu")


@pytest.mark.parametrize("normalize", [True, False])
def test_pre_training_equals_videomae(transformers, tmp_path, normalize):
    network = hf_videomae(transformers, "VideoMAEForPreTraining", pooled=False, norm_pix_loss=normalize)
    network.decoder.norm.eps = 1e-6  # as in the authors' code; Hugging Face's port left torch's 1e-5 there
    model = carried_over(network, VIDEO, tmp_path)
    clips, mask = clips_and_mask(VIDEO)
    with torch.no_grad():
        theirs = network(clips.transpose(1, 2), mask)
        ours = model.reconstruct(clips, mask)
    objective = ObjectiveSettings(normalize_target=normalize, target_convention="videomae")
    torch.testing.assert_close(ours, theirs.logits, **TOLERANCE)
    torch.testing.assert_close(
        reconstruction_loss(model, clips, mask, ours, objective), theirs.loss, **TOLERANCE
    )


def test_classification_equals_videomae(transformers, tmp_path):
    network = hf_videomae(transformers, "VideoMAEForVideoClassification", pooled=True)
    network.fc_norm.eps = 1e-6
    model = carried_over(network, VIDEO, tmp_path)
    clips, _ = clips_and_mask(VIDEO)
    with torch.no_grad():
        theirs = network(clips.transpose(1, 2)).logits
        ours = model.classify(clips)
    assert theirs.abs().max() > 0.1
    torch.testing.assert_close(ours, theirs, **TOLERANCE)


def test_videomae_without_biases_equals_ours(transformers, tmp_path):
    network = hf_videomae(transformers, "VideoMAEForVideoClassification", pooled=True, qkv_bias=False)
    network.fc_norm.eps = 1e-6
    model = carried_over(network, changed(VIDEO, qkv_bias="none"), tmp_path)
    clips, _ = clips_and_mask(VIDEO)
    with torch.no_grad():
        torch.testing.assert_close(model.classify(clips), network(clips.transpose(1, 2)).logits, **TOLERANCE)


@pytest.mark.parametrize("normalize", [True, False])
def test_pre_training_equals_vit_mae(transformers, tmp_path, normalize):
    network = hf_vit_mae(transformers, norm_pix_loss=normalize)
    model = carried_over(network, IMAGE, tmp_path)
    clips, mask = clips_and_mask(IMAGE)
    # Hugging Face draws its mask from noise and keeps the lowest quarter: 0 where visible, 1 where hidden.
    noise = mask.float() + torch.linspace(0, 0.1, mask.shape[1])
    with torch.no_grad():
        theirs = network(clips[:, :, 0], noise=noise)
        ours = model.reconstruct(clips, mask)
    assert torch.equal(theirs.mask.bool(), mask)
    objective = ObjectiveSettings(normalize_target=normalize, target_convention="mae")
    torch.testing.assert_close(ours, theirs.logits[mask].view_as(ours), **TOLERANCE)
    torch.testing.assert_close(
        reconstruction_loss(model, clips, mask, ours, objective), theirs.loss, **TOLERANCE
    )


def test_class_token_of_all_tokens_equals_vit_mae(transformers, tmp_path):
    network = hf_vit_mae(transformers, mask_ratio=0.0)
    model = carried_over(network, IMAGE, tmp_path)
    clips, _ = clips_and_mask(IMAGE)
    with torch.no_grad():
        noise = torch.arange(IMAGE.num_tokens).expand(2, -1).float()
        theirs = network.vit(clips[:, :, 0], noise=noise).last_hidden_state[:, 0]
        torch.testing.assert_close(model.classify(clips), model.head(theirs), **TOLERANCE)


def test_names_in_memory_of_transformers_load_too(transformers, tmp_path):
    network = hf_videomae(transformers, "VideoMAEForVideoClassification", pooled=True)
    path = tmp_path / "weights.pt"
    torch.save(network.state_dict(), path)
    by_memory, by_file = MaskedAutoencoder(VIDEO), carried_over(network, VIDEO, tmp_path)
    load_initial_weights(by_memory, path)
    for name, value in by_file.state_dict().items():
        if not name.startswith(("decoder.", "encoder.norm.")):
            assert torch.equal(by_memory.state_dict()[name], value), name
