import pytest
from pydantic import ValidationError

from deepfake_ssat.config.model import PRESETS, DecoderSettings, EncoderSettings, ModelSettings
from deepfake_ssat.config.training import Experiment


def test_default_geometry_is_that_of_videomae():
    settings = ModelSettings(encoder=EncoderSettings(preset="base"))
    assert settings.grid == (8, 14, 14)
    assert settings.num_tokens == 1568
    assert settings.patch_values == 2 * 16 * 16 * 3


def test_image_is_a_clip_of_one_frame():
    settings = ModelSettings(frames=1, tubelet=1, image_size=28, patch=2, encoder={"preset": "tiny"})
    assert settings.grid == (1, 14, 14)
    assert settings.patch_values == 12


@pytest.mark.parametrize("name", list(PRESETS))
def test_preset_fills_the_size_and_keeps_what_is_given(name):
    settings = EncoderSettings(preset=name, depth=4)
    width, _, heads = PRESETS[name]
    assert (settings.width, settings.depth, settings.heads) == (width, 4, heads)


def test_settings_survive_json():
    settings = ModelSettings(encoder=EncoderSettings(preset="small", depth=2), mean=(0.5,), std=(0.5,))
    assert ModelSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"patch": 15}, "not a multiple of patch 15"),
        ({"patch": 224}, "take a smaller patch"),
        ({"frames": 15}, "not a multiple of tubelet 2"),
        ({"mean": (0.5, 0.5)}, "mean has 2 values, channels is 3"),
        ({"std": (0.0,)}, "must be positive"),
        ({"positions": "sincos_3d", "decoder": {"width": 40, "heads": 2}}, "decoder width 40"),
        ({"decoder": {"width": 100, "heads": 16}}, "not a multiple of heads 16"),
        ({"position_grid": (8, 0, 14)}, "position_grid .* must hold positive"),
        ({"positions": "learned", "position_grid": (8, 14, 14)}, "positions are learned: leave it out"),
        ({"encoder": {}}, "give a preset"),
        ({"encoder": {"preset": "tiny", "heads": 5}}, "width 192 is not a multiple of heads 5"),
        ({"encoder": {"preset": "tiny", "dropout": 0.1}}, "dropout"),
    ],
)
def test_impossible_geometry_is_refused_with_the_rule(changes, rule):
    with pytest.raises(ValidationError, match=rule):
        ModelSettings(**({"encoder": {"preset": "tiny"}} | changes))


def test_decoder_of_the_paper_is_the_default():
    decoder = DecoderSettings()
    assert (decoder.depth, decoder.width, decoder.heads) == (2, 128, 16)


def test_target_of_one_pixel_cannot_be_normalised():
    values = {
        "model": {"frames": 1, "tubelet": 1, "image_size": 8, "patch": 1, "encoder": {"preset": "tiny"}},
        "data": {"kind": "npz", "path": "x.npz"},
    }
    with pytest.raises(ValidationError, match="one pixel cannot be normalised"):
        Experiment.model_validate(values)
    Experiment.model_validate(values | {"objective": {"normalize_target": False}})
