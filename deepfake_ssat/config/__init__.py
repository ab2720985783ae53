"""Configuration: frozen pydantic models, one file per noun; only ``layers`` reads YAML."""

from deepfake_ssat.config.auxiliary import (
    DinoSettings,
    GuidanceSettings,
    RelativeLocalisationSettings,
    SimclrSettings,
    ViewTaskName,
)
from deepfake_ssat.config.baselines import (
    BranchSettings,
    CrossEfficientVitSettings,
    FrameClassifierSettings,
    NetworkSettings,
)
from deepfake_ssat.config.data import (
    H264,
    TEST_SPLIT,
    VALIDATION_SPLIT,
    Augmentation,
    DataSource,
    FaceClips,
    Framing,
    Mixture,
    MixtureSource,
    PseudoFakes,
    Selection,
    Views,
)
from deepfake_ssat.config.extraction import ExtractionSettings, parse_contract
from deepfake_ssat.config.frame_model import FrameModelSettings
from deepfake_ssat.config.hierarchical import CvtSettings, PatchSettings, SwinSettings
from deepfake_ssat.config.layers import RUNS_FOLDER, experiment_name
from deepfake_ssat.config.loading import dump_experiment, load_experiment
from deepfake_ssat.config.model import PRESETS, DecoderSettings, EncoderSettings, ModelSettings
from deepfake_ssat.config.pictures import (
    ArrayFile,
    Chaoyang,
    Cifar,
    DomainNet,
    Flowers102,
    ImageFolder,
    PictureSource,
    Svhn,
    moved,
)
from deepfake_ssat.config.pseudo_fakes import PseudoFakeSettings
from deepfake_ssat.config.training import (
    Experiment,
    LoggerName,
    ObjectiveSettings,
    OptimizerSettings,
    TrainerSettings,
)

__all__ = [
    "TEST_SPLIT",
    "VALIDATION_SPLIT",
    "H264",
    "PRESETS",
    "RUNS_FOLDER",
    "ArrayFile",
    "Augmentation",
    "BranchSettings",
    "Chaoyang",
    "Cifar",
    "CrossEfficientVitSettings",
    "CvtSettings",
    "DataSource",
    "DecoderSettings",
    "DinoSettings",
    "DomainNet",
    "EncoderSettings",
    "Experiment",
    "ExtractionSettings",
    "FaceClips",
    "Flowers102",
    "FrameClassifierSettings",
    "FrameModelSettings",
    "Framing",
    "GuidanceSettings",
    "ImageFolder",
    "LoggerName",
    "Mixture",
    "MixtureSource",
    "ModelSettings",
    "NetworkSettings",
    "ObjectiveSettings",
    "OptimizerSettings",
    "PatchSettings",
    "PictureSource",
    "PseudoFakeSettings",
    "PseudoFakes",
    "RelativeLocalisationSettings",
    "Selection",
    "SimclrSettings",
    "Svhn",
    "SwinSettings",
    "TrainerSettings",
    "ViewTaskName",
    "Views",
    "dump_experiment",
    "experiment_name",
    "load_experiment",
    "moved",
    "parse_contract",
]
