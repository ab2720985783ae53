"""deepfake-ssat: tells genuine face videos from manipulated ones, and says so when it cannot.

Every verb of the command line is a function here, with the same names; results are records, and nothing is
printed. What is asked for is imported then: importing the package stays instant.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from deepfake_ssat.version import __version__

if TYPE_CHECKING:
    from deepfake_ssat.calibration.calibrate import calibrate
    from deepfake_ssat.calibration.pictures import calibrate_pictures
    from deepfake_ssat.calibration.report import CalibrationReport
    from deepfake_ssat.config import ExtractionSettings, Selection
    from deepfake_ssat.corpora import CorpusOptions
    from deepfake_ssat.errors import DeepfakeError
    from deepfake_ssat.evaluation.evaluate import evaluate
    from deepfake_ssat.evaluation.given_scores import evaluate_scores
    from deepfake_ssat.evaluation.pictures import PictureReport, evaluate_pictures
    from deepfake_ssat.extraction.preprocess import PreprocessReport, preprocess
    from deepfake_ssat.inference.detect import detect
    from deepfake_ssat.inference.detector import Detector, load_detector
    from deepfake_ssat.inference.explanation import Explanation
    from deepfake_ssat.progress import Progress
    from deepfake_ssat.records import (
        ClipScore,
        EvalReport,
        EvaluatedVideo,
        FaceVerdict,
        Status,
        Verdict,
        VideoMetadata,
        VideoVerdict,
    )
    from deepfake_ssat.training.run_folder import RunFolder
    from deepfake_ssat.training.train import train

__all__ = [
    "CalibrationReport",
    "ClipScore",
    "CorpusOptions",
    "DeepfakeError",
    "Detector",
    "EvalReport",
    "EvaluatedVideo",
    "Explanation",
    "ExtractionSettings",
    "FaceVerdict",
    "PictureReport",
    "PreprocessReport",
    "Progress",
    "RunFolder",
    "Selection",
    "Status",
    "Verdict",
    "VideoMetadata",
    "VideoVerdict",
    "__version__",
    "calibrate",
    "calibrate_pictures",
    "detect",
    "evaluate",
    "evaluate_pictures",
    "evaluate_scores",
    "load_detector",
    "preprocess",
    "train",
]

_HOMES = {
    "calibration.calibrate": ("calibrate",),
    "calibration.pictures": ("calibrate_pictures",),
    "calibration.report": ("CalibrationReport",),
    "config": ("ExtractionSettings", "Selection"),
    "corpora": ("CorpusOptions",),
    "errors": ("DeepfakeError",),
    "evaluation.evaluate": ("evaluate",),
    "evaluation.given_scores": ("evaluate_scores",),
    "evaluation.pictures": ("PictureReport", "evaluate_pictures"),
    "extraction.preprocess": ("PreprocessReport", "preprocess"),
    "inference.detect": ("detect",),
    "inference.detector": ("Detector", "load_detector"),
    "inference.explanation": ("Explanation",),
    "progress": ("Progress",),
    "records": (
        *("ClipScore", "EvalReport", "EvaluatedVideo", "FaceVerdict"),
        *("Status", "Verdict", "VideoMetadata", "VideoVerdict"),
    ),
    "training.run_folder": ("RunFolder",),
    "training.train": ("train",),
}
"""By module, the names that it gives."""


def __getattr__(name: str) -> Any:
    """One of ``__all__``, imported when first asked for."""
    for module, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
