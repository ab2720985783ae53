"""Small model settings that the model tests share."""

from deepfake_ssat.config.model import DecoderSettings, EncoderSettings, ModelSettings

ENCODER = EncoderSettings(width=48, depth=3, heads=4, mlp_ratio=2.0)
DECODER = DecoderSettings(width=32, depth=2, heads=2, mlp_ratio=2.0)

VIDEO = ModelSettings(frames=4, tubelet=2, image_size=32, patch=8, encoder=ENCODER, decoder=DECODER)
"""VideoMAE's choices: mean pooling, 1-D positions, biases of query and value; 2 x 4 x 4 tokens."""

IMAGE = ModelSettings(
    frames=1,
    tubelet=1,
    image_size=32,
    patch=8,
    pooling="class_token",
    positions="sincos_2d",
    qkv_bias="qkv",
    encoder=ENCODER,
    decoder=DECODER,
)
"""MAE's choices: class token, 2-D positions, all biases; 1 x 4 x 4 tokens."""


def changed(settings: ModelSettings, **changes) -> ModelSettings:
    """The settings with some values replaced, validated again."""
    return ModelSettings(**(settings.model_dump() | changes))


HYBRID = ModelSettings(
    frames=4,
    tubelet=2,
    image_size=96,
    patch=32,
    stem="efficientnet_lite0",
    encoder=ENCODER,
    decoder=DECODER,
)
"""VideoMAE's choices behind a convolutional stem; 2 x 3 x 3 tokens."""
