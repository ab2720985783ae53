"""``calibrate`` for a model of pictures of two classes: the same scaling and cuts, each picture for itself.

N pictures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from deepfake_ssat.calibration.crossfit import counted, cross_fitted
from deepfake_ssat.calibration.enough import require_enough
from deepfake_ssat.calibration.fitting import fit_decision
from deepfake_ssat.calibration.report import CalibrationReport, LabelledPicture
from deepfake_ssat.clips.images import ImageDataset
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.evaluation.pictures import open_pictures, score_pictures
from deepfake_ssat.inference.device import resolve_device
from deepfake_ssat.metrics import Scaling, VideoLogits
from deepfake_ssat.models.checkpoint import load_checkpoint, save_checkpoint
from deepfake_ssat.models.decision import PictureCalibration, wording_of_pictures
from deepfake_ssat.outputs import check_file
from deepfake_ssat.progress import Progress, silent
from deepfake_ssat.provenance import typed_command
from deepfake_ssat.records import FAKE, REAL

CHOSE_THE_EPOCH = (
    "these pictures chose the checkpoint among its epochs: their scores may be a little too good"
)


def calibrate_pictures(
    checkpoint: Path | str,
    data: Path | str,
    out: Path | str,
    *,
    split: str = "val",
    method: str = "platt",
    false_alarm_rate: float = 0.05,
    miss_rate: float = 0.05,
    device: str = "auto",
    batch: int | None = None,
    progress: Progress = silent,
) -> CalibrationReport:
    """As ``calibrate``, on a split of the set that the model was trained on, which lies at ``data``.

    The second class has the place of fakes. No set here says which pictures belong together, so that a
    cross-fit parts them one by one. Raises DeepfakeError for what the user can correct, such as more than two
    classes.
    """
    out = Path(out)
    check_file(out, [Path(checkpoint)])
    loaded = load_checkpoint(checkpoint, resolve_device(device))
    if loaded.settings.num_classes != 2:
        raise ConfigError(
            f"{checkpoint}: tells {loaded.settings.num_classes} classes apart; a threshold and an uncertain "
            "band lie between two, and top-1 needs no calibration (evaluate)"
        )
    if split == "train":
        raise ConfigError(
            "split train: the model was trained on these pictures, their scores are too good to calibrate "
            "by; choose others (--split val)"
        )
    source, pictures = open_pictures(loaded, Path(data), split)
    classes = pictures.class_names[REAL], pictures.class_names[FAKE]
    numbers = {f"pictures of class {name}": pictures.labels.count(i) for i, name in enumerate(classes)}
    require_enough(numbers, "give another split")
    logits = _logits(pictures, score_pictures(loaded, pictures, batch, progress))
    crossed = cross_fitted(logits, [()] * len(pictures), method, false_alarm_rate, miss_rate)
    record = partial(
        PictureCalibration,
        manifests=(_content_hash(pictures),),
        splits=(split,),
        checkpoint_sha256=loaded.hash,
        elsewhere=None if crossed is None else counted(logits.labels, crossed),
        classes=classes,
    )
    wording = wording_of_pictures(classes)
    before = loaded.decision
    after = fit_decision(logits, method, false_alarm_rate, miss_rate, record, wording)
    calibrated = replace(loaded, decision=after)
    provenance = {
        "command": typed_command(),
        "checkpoint": {"path": str(checkpoint), "sha256": loaded.hash},
        "data": source.model_dump(mode="json"),
        "scoring": {"unit": wording.unit, "split": split},
        "written": {"path": str(out), "sha256": save_checkpoint(out, calibrated)},
    }
    return CalibrationReport(
        provenance=provenance,
        checkpoint=calibrated,
        before=before,
        videos=[LabelledPicture(*one) for one in zip(pictures.videos, pictures.labels, strict=True)],
        probabilities_before=logits.probabilities(Scaling(before.temperature, before.bias)),
        probabilities_after=logits.probabilities(Scaling(after.temperature, after.bias)),
        crossed=crossed,
        dropped=[],
        warnings=[CHOSE_THE_EPOCH] if split == "val" or source.train_on_val else [],
    )


def _logits(pictures: ImageDataset, scores: np.ndarray) -> VideoLogits:
    """(N, 2) -> second class minus first: of each picture one, as of a video with one face and one clip."""
    places = np.arange(len(pictures))
    differences = (scores[:, FAKE] - scores[:, REAL]).astype(float)
    return VideoLogits(np.array(pictures.labels), differences, places, places)


def _content_hash(pictures: ImageDataset) -> str:
    """SHA-256 of names and labels, in hexadecimal."""
    lines: Iterable[str] = (
        f"{name}\t{label}\n" for name, label in zip(pictures.videos, pictures.labels, strict=True)
    )
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
