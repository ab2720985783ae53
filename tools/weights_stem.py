"""The default weights' first stage: the convolutional stem learns what blending leaves behind in a frame.

From published EfficientNet-Lite0 weights (ImageNet); pairs of a genuine face and its pseudo-fake, both under
the same augmentation. Resumes where it was killed. S pixels per side of the network's input.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.progress import Progress
from safetensors.torch import load_file, save_file
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from weights_crops import Crops, validates

from deepfake_ssat.clips.pseudo_fakes import pseudo_fake_pair
from deepfake_ssat.config.model import STEM_CHANNELS
from deepfake_ssat.config.pseudo_fakes import PseudoFakeSettings
from deepfake_ssat.models.efficientnet_lite import EfficientNetLite, folded_weights

PAIRS = 16
"""Per step."""
VALIDATION_PAIRS = 160
VALIDATE_EVERY = 100
PHOTO_PART = 0.5
DONOR_PART = 0.5


@dataclass(frozen=True)
class Phase:
    """One run of the optimiser."""

    name: str
    side: int
    """Of the network's input, in pixels."""
    canvas: int
    """Of the crops that fakes are made on, 1.6 times as wide as the face box."""
    steps: int
    learning_rate: float
    warmup_steps: int
    average: float
    """Decay of the averaged weights, per step."""
    frozen_blocks: int
    """So many blocks, and the convolution before them, stay: edges and colours, where a step costs most."""


PHASES = (
    Phase("coarse", 128, 160, 2400, 4e-4, 200, 0.998, 1),
    Phase("fine", 192, 224, 430, 2.5e-4, 30, 0.99, 3),
)
"""Small pictures first, for many steps in little time. The result is used at 224 pixels (docs/weights.md)."""


class FrameClassifier(nn.Module):
    """The stem, its mean over the picture, and a linear classifier."""

    def __init__(self, frozen_blocks: int) -> None:
        super().__init__()
        self._frozen_blocks = frozen_blocks
        self.stem = EfficientNetLite()
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(STEM_CHANNELS, 2)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, S, S) in [-1, 1] -> logits (B, 2)."""
        blocks = self.stem.blocks
        with torch.no_grad():
            features = blocks[: self._frozen_blocks](self.stem.stem(pictures))
        return self.head(self.dropout(blocks[self._frozen_blocks :](features).mean((2, 3))))


def train_stem(photos: Crops, videos: Crops, published: Path, path: Path, phases: Sequence[Phase]) -> None:
    """Trains phase by phase, and writes the averaged weights of the last one to ``path``."""
    model = FrameClassifier(0)
    weights = torch.load(published, weights_only=True, map_location="cpu")
    torch.manual_seed(0)
    model.stem.load_state_dict(folded_weights(weights, model.stem))
    start = model.state_dict()
    for number, phase in enumerate(phases):
        result = path.with_name(f"stem_{phase.name}.safetensors")
        if result.is_file():
            print(f"{result}: this phase is finished")
        else:
            _train_phase(photos, videos, phase, start, result, seed=number)
        start = load_file(result)
    save_file(start, path)


def _train_phase(
    photos: Crops, videos: Crops, phase: Phase, start: dict[str, Tensor], result: Path, seed: int
) -> None:
    torch.manual_seed(seed)
    model = FrameClassifier(phase.frozen_blocks)
    model.load_state_dict(start)
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=phase.learning_rate, weight_decay=1e-3)
    average = {name: value.clone() for name, value in model.state_dict().items()}
    first = 0
    state = result.with_suffix(".resume.pt")
    if state.is_file():
        saved = torch.load(state, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        average, first = saved["average"], saved["step"]
    held_out = Pairs(photos, videos, phase, validation=True, seed=1, length=VALIDATION_PAIRS)
    validation = list(DataLoader(held_out, batch_size=PAIRS))
    # Another stream after each resumption.
    training = Pairs(photos, videos, phase, validation=False, seed=100 + 10_000 * seed + first)
    pairs = DataLoader(training, batch_size=PAIRS, num_workers=1, prefetch_factor=8)
    with Progress() as progress:
        task = progress.add_task(f"stem, {phase.name}", total=phase.steps, completed=first)
        for step, batch in enumerate(pairs, start=first):
            _step(model, optimizer, average, batch, step, phase)
            progress.advance(task)
            if (step + 1) % VALIDATE_EVERY == 0 or step + 1 == phase.steps:
                auc = _validate(average, validation)
                progress.console.print(
                    f"step {step + 1}: AUC on {VALIDATION_PAIRS} validation pairs {auc:.3f}"
                )
                _save(state, model, optimizer, average, step + 1)
            if step + 1 == phase.steps:
                break
    save_file({name: value.contiguous() for name, value in average.items()}, result)


def _step(
    model: FrameClassifier,
    optimizer: torch.optim.Optimizer,
    average: dict[str, Tensor],
    batch: Tensor,
    step: int,
    phase: Phase,
) -> None:
    cosine = 0.5 * (1 + math.cos(math.pi * step / phase.steps))
    for group in optimizer.param_groups:
        warmup = min(1, (step + 1) / phase.warmup_steps)
        group["lr"] = phase.learning_rate * warmup * (cosine * 0.98 + 0.02)
    logits = model(_normalized(batch.flatten(0, 1)))
    loss = F.cross_entropy(logits, torch.tensor([0, 1]).repeat(len(batch)), label_smoothing=0.05)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    decay = min(phase.average, (1 + step) / (10 + step))
    with torch.no_grad():
        for name, value in model.state_dict().items():
            average[name].lerp_(value, 1 - decay)


def _validate(weights: dict[str, Tensor], batches: list[Tensor]) -> float:
    model = FrameClassifier(0).to(memory_format=torch.channels_last)
    model.load_state_dict(weights)
    model.eval()
    with torch.inference_mode():
        logits = torch.cat([model(_normalized(batch.flatten(0, 1))) for batch in batches])
    return float(roc_auc_score(np.tile([0, 1], len(logits) // 2), (logits[:, 1] - logits[:, 0]).numpy()))


def _save(
    path: Path,
    model: FrameClassifier,
    optimizer: torch.optim.Optimizer,
    average: dict[str, Tensor],
    step: int,
) -> None:
    part = path.with_suffix(".part")
    torch.save(
        {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "average": average, "step": step},
        part,
    )
    os.replace(part, path)


def _normalized(pictures: Tensor) -> Tensor:
    """(B, S, S, 3) uint8 -> (B, 3, S, S) in [-1, 1]."""
    scaled = pictures.float() / 127.5 - 1
    return scaled.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


class Pairs(IterableDataset[Tensor]):
    """Genuine faces and their pseudo-fakes: (2, S, S, 3) uint8, without end or ``length`` of them."""

    def __init__(
        self,
        photos: Crops,
        videos: Crops,
        phase: Phase,
        *,
        validation: bool,
        seed: int,
        length: int | None = None,
    ) -> None:
        self._phase = phase
        self._photos = _part(photos, validation, phase.canvas)
        self._videos = _part(videos, validation, phase.canvas)
        self._seed = seed
        self._length = length

    def __iter__(self) -> Iterator[Tensor]:
        worker = get_worker_info()
        cv2.setNumThreads(0)
        generator = np.random.default_rng([self._seed, worker.id if worker else 0])
        settings = PseudoFakeSettings()
        given = 0
        while self._length is None or given < self._length:
            part = self._photos if generator.random() < PHOTO_PART else self._videos
            frame, landmarks = part.draw(generator)
            donor = None
            if generator.random() < DONOR_PART:
                others = self._photos if generator.random() < PHOTO_PART else self._videos
                donor = others.donor(landmarks, generator)
            pair = pseudo_fake_pair(frame[None], landmarks[None], generator, settings, donor)
            if pair is not None:
                given += 1
                change = _Augmentation(generator, frame.shape[0], self._phase.side)
                yield torch.from_numpy(np.stack([change(pair.real[0]), change(pair.fake[0])]))


@dataclass(frozen=True)
class _Part:
    """The crops of one material and one part of the people."""

    crops: Crops
    canvas: int
    rows_of_people: list[np.ndarray]
    chances: np.ndarray
    """Of each person: by the root of how many clips there are."""
    bank: np.ndarray
    """(K, 2) row and frame of possible donors."""
    bank_poses: np.ndarray

    def draw(self, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """One frame and its landmarks."""
        row = int(generator.choice(self.rows_of_people[generator.choice(len(self.chances), p=self.chances)]))
        return self._at(row, int(generator.integers(self.crops.frames.shape[1])))

    def donor(self, landmarks: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A frame, as a clip of one, whose face has a similar pose."""
        chosen = generator.choice(len(self.bank), min(60, len(self.bank)), replace=False)
        distances = ((self.bank_poses[chosen] - _pose(landmarks)) ** 2).sum((1, 2))
        row, frame = self.bank[chosen[np.argsort(distances)[generator.integers(1, 4)]]]
        pixels, points = self._at(int(row), int(frame))
        return pixels[None], points[None]

    def _at(self, row: int, frame: int) -> tuple[np.ndarray, np.ndarray]:
        size = (self.canvas, self.canvas)
        pixels = cv2.resize(np.asarray(self.crops.frames[row, frame]), size, interpolation=cv2.INTER_AREA)
        return pixels, self.crops.landmarks[row, frame] * (self.canvas / self.crops.frames.shape[2])


def _part(crops: Crops, validation: bool, canvas: int) -> _Part:
    people: dict[str, list[int]] = {}
    for row, person in enumerate(crops.people):
        if validates(person) == validation:
            people.setdefault(person, []).append(row)
    rows = [np.array(rows) for rows in people.values()]
    chances = np.sqrt([len(group) for group in rows])
    frames = range(0, crops.frames.shape[1], 8)
    bank = np.array([(row, frame) for group in rows for row in group for frame in frames])
    poses = np.stack([_pose(crops.landmarks[row, frame]) for row, frame in bank])
    return _Part(crops, canvas, rows, chances / chances.sum(), bank, poses)


def _pose(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks (5, 2) relative to the eyes."""
    eyes = landmarks[:2]
    return (landmarks - eyes.mean(axis=0)) / np.linalg.norm(eyes[1] - eyes[0])


class _Augmentation:
    """One draw of place, mirror, resolution, blur, JPEG, light and noise, for both of a pair."""

    def __init__(self, generator: np.random.Generator, size: int, wanted: int) -> None:
        """For pictures of ``size`` pixels, which become ``wanted`` wide."""
        self._wanted = wanted
        side = size * generator.uniform(0.74, 0.9)
        center = size / 2 + size * generator.normal(0, 0.025, 2)
        self._left, self._top = (int(np.clip(value - side / 2, 0, size - side)) for value in center)
        self._side = int(side)
        self._mirrored = generator.random() < 0.5
        self._lower = int(generator.uniform(0.35, 1.0) * self._side) if generator.random() < 0.35 else None
        self._quality = int(generator.uniform(35, 95)) if generator.random() < 0.6 else None
        self._quality_scale = generator.uniform(0.6, 1.3)
        self._blur = generator.uniform(0.4, 1.3) if generator.random() < 0.15 else None
        noise = generator.uniform(1, 6) if generator.random() < 0.15 else 0.0
        channels = 1 if generator.random() < 0.5 else 3
        self._noise = noise * generator.normal(size=(wanted, wanted, channels)) if noise else 0.0
        self._gain, self._offset = generator.uniform(0.8, 1.2), generator.uniform(-20, 20)
        self._tint = generator.uniform(-8, 8, 3) if generator.random() < 0.3 else 0.0
        self._grey = generator.random() < 0.03
        methods = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
        self._method = methods[generator.integers(3)]

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 -> (S, S, 3) uint8."""
        part = picture[self._top : self._top + self._side, self._left : self._left + self._side]
        part = np.ascontiguousarray(part[:, ::-1] if self._mirrored else part)
        if self._lower is not None:
            part = cv2.resize(part, (self._lower, self._lower), interpolation=cv2.INTER_AREA)
        if self._blur is not None:
            part = cv2.GaussianBlur(part, (0, 0), float(self._blur))
        if self._quality is not None:
            side = max(int(part.shape[0] * self._quality_scale), 48)
            method = cv2.INTER_AREA if self._quality_scale < 1 else cv2.INTER_LINEAR
            part = cv2.resize(part, (side, side), interpolation=method)
            encoded = cv2.imencode(".jpg", part, [cv2.IMWRITE_JPEG_QUALITY, self._quality])[1]
            part = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))
        part = cv2.resize(part, (self._wanted, self._wanted), interpolation=self._method)
        values = part.astype(np.float32) * self._gain + self._offset + self._tint + self._noise
        if self._grey:
            values = np.repeat(values.mean(axis=-1, keepdims=True), 3, axis=-1)
        return np.clip(values, 0, 255).astype(np.uint8)
