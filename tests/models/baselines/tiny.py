"""Small baselines that the tests share: timm's smallest EfficientNet on clips of four frames."""

from deepfake_ssat.config import BranchSettings, CrossEfficientVitSettings, FrameClassifierSettings

BACKBONE = "test_efficientnet"

FRAME = FrameClassifierSettings(backbone=BACKBONE, frames=4, frames_used=2, image_size=32)

CROSS = CrossEfficientVitSettings(
    backbone=BACKBONE,
    small=BranchSettings(stride=32, patch=1, width=16, depth=1, heads=2, mlp_width=32),
    large=BranchSettings(stride=4, patch=4, width=24, depth=1, heads=2, mlp_width=32),
    rounds=2,
    cross_depth=1,
    cross_heads=4,
    frames=4,
    frames_used=2,
    image_size=64,
)
