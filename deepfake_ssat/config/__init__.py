"""Configuration: frozen pydantic models, one file per noun; only ``layers`` reads YAML."""

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
    ArrayFile,
    Augmentation,
    Cifar,
    DataSource,
    FaceClips,
    Framing,
    ImageFolder,
    Mixture,
    MixtureSource,
    PseudoFakes,
    Selection,
)
from deepfake_ssat.config.extraction import ExtractionSettings, parse_contract
from deepfake_ssat.config.frame_model import FrameModelSettings
from deepfake_ssat.config.layers import RUNS_FOLDER, experiment_name
from deepfake_ssat.config.loading import dump_experiment, load_experiment
from deepfake_ssat.config.model import PRESETS, DecoderSettings, EncoderSettings, ModelSettings
from deepfake_ssat.config.pseudo_fakes import PseudoFakeSettings
from deepfake_ssat.config.training import Experiment, ObjectiveSettings, OptimizerSettings, TrainerSettings

__all__ = [
    "TEST_SPLIT",
    "VALIDATION_SPLIT",
    "H264",
    "PRESETS",
    "RUNS_FOLDER",
    "ArrayFile",
    "Augmentation",
    "BranchSettings",
    "Cifar",
    "CrossEfficientVitSettings",
    "DataSource",
    "DecoderSettings",
    "EncoderSettings",
    "Experiment",
    "ExtractionSettings",
    "FaceClips",
    "FrameClassifierSettings",
    "FrameModelSettings",
    "Framing",
    "ImageFolder",
    "Mixture",
    "MixtureSource",
    "ModelSettings",
    "NetworkSettings",
    "ObjectiveSettings",
    "OptimizerSettings",
    "PseudoFakeSettings",
    "PseudoFakes",
    "Selection",
    "TrainerSettings",
    "dump_experiment",
    "experiment_name",
    "load_experiment",
    "parse_contract",
]
