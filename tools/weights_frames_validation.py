"""How good the frame model is, on people that it is not trained on. Each process judges its part."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.distributed as dist
from sklearn.metrics import roc_auc_score
from torch import nn
from weights_frame_crops import CROP, MARGIN, CropRow, read_index
from weights_pairs import DfdcPairs, PseudoPairs, augmented
from weights_stem import _normalized

SIDE = 224
JUDGED_MARGIN = 0.08
FRAMES = 8
"""Of each video, evenly spread."""
PSEUDO_PAIRS, DFDC_ORIGINALS = 128, 500
BATCH = 32


def small_jpeg(picture: np.ndarray) -> np.ndarray:
    """Half as wide, quality 30, and back."""
    small = cv2.resize(picture, (SIDE // 2, SIDE // 2), interpolation=cv2.INTER_AREA)
    decoded = cv2.imdecode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_COLOR)
    return cv2.resize(np.asarray(decoded), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)


def blurred(picture: np.ndarray) -> np.ndarray:
    """By two pixels."""
    return cv2.GaussianBlur(picture, (0, 0), 2.0)


def noisy(picture: np.ndarray) -> np.ndarray:
    """By ten grey levels."""
    noise = np.random.default_rng(0).normal(0, 10, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


DEGRADATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "small_jpeg": small_jpeg,
    "blur": blurred,
    "noise": noisy,
}


class Validation:
    """FaceForensics++'s validation people, genuine videos, DFDC's validation originals, pseudo-fakes."""

    def __init__(self, crops: Path, data: Path, rank: int, processes: int) -> None:
        self._crops, self._rank, self._processes = crops, rank, processes
        self._dfdc = DfdcPairs(data, "val")

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """AUCs by name, of videos (mean logit over frames) and of single crops."""
        own: dict[str, list] = defaultdict(list)
        rows = [row for row in read_index(self._crops) if row.split == "val"]
        videos = sorted((row for row in rows if row.kind in ("ffpp", "video")), key=lambda row: row.file)
        pseudo_pairs = PseudoPairs(self._crops, rows, "val")
        for row in videos[self._rank :: self._processes]:
            pictures = self._frames(row)
            own["videos"].append((row, float(_scores(model, pictures).mean())))
            if row.kind == "ffpp" and not row.method.endswith("c40") and "_c40_" not in row.file:
                for name, degrade in DEGRADATIONS.items():
                    changed = np.stack([degrade(picture) for picture in pictures])
                    own[name].append((row, float(_scores(model, changed).mean())))
        numbers = np.linspace(0, len(self._dfdc.originals) - 1, DFDC_ORIGINALS).astype(int)
        for number in numbers[self._rank :: self._processes].tolist():
            pair = self._dfdc.at(number, np.random.default_rng(number))
            pictures = np.stack([cv2.resize(picture, (SIDE, SIDE)) for picture in (pair.real, pair.fake)])
            own["dfdc"].append(_scores(model, pictures).tolist())
        for number in range(self._rank, PSEUDO_PAIRS, self._processes):
            generator = np.random.default_rng([77, number])
            pictures = augmented(pseudo_pairs.draw(generator), generator, SIDE)
            own["pseudo"].append(_scores(model, pictures).tolist())
        gathered: list = [None] * self._processes
        dist.all_gather_object(gathered, dict(own))
        return _figures({name: [score for part in gathered for score in part[name]] for name in own})

    def _frames(self, row: CropRow) -> np.ndarray:
        """(F, SIDE, SIDE, 3) uint8: the middle of each crop."""
        frames = np.load(self._crops / row.file, mmap_mode="r")
        side = round(CROP * (1 + JUDGED_MARGIN) / (1 + MARGIN))
        first = (CROP - side) // 2
        chosen = np.linspace(0, len(frames) - 1, min(FRAMES, len(frames))).astype(int)
        parts = (np.array(frames[index, first : first + side, first : first + side]) for index in chosen)
        return np.stack([cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for part in parts])


def _figures(scores: dict[str, list]) -> dict[str, float]:
    videos = [(row, score) for row, score in scores["videos"] if row.kind == "ffpp"]
    c23 = [(row, score) for row, score in videos if "_c23_" in row.file]
    genuine = [score for row, score in scores["videos"] if row.kind == "video"]
    real = [score for row, score in c23 if not row.original]
    figures = {"ffpp": _auc(real, [score for row, score in c23 if row.original])}
    for method in sorted({row.method for row, _ in c23 if row.original}):
        figures[method.split()[0]] = _auc(real, [score for row, score in c23 if row.method == method])
    figures["ffpp_genuine"] = _auc(real + genuine, [score for row, score in c23 if row.original])
    for name in DEGRADATIONS:
        figures[f"ffpp_{name}"] = _auc(
            [score for row, score in scores[name] if not row.original],
            [score for row, score in scores[name] if row.original],
        )
    for name in ("dfdc", "pseudo"):
        figures[name] = _auc(*zip(*scores[name], strict=True))
    return figures


def _auc(real, fake) -> float:
    if not real or not fake:
        return float("nan")
    return float(roc_auc_score([0] * len(real) + [1] * len(fake), [*real, *fake]))


@torch.inference_mode()
def _scores(model: nn.Module, pictures: np.ndarray) -> torch.Tensor:
    logits = torch.cat([model(_normalized(part)) for part in torch.from_numpy(pictures).split(BATCH)])
    return logits[:, 1] - logits[:, 0]
