"""The frame model: EfficientNet-Lite0, its mean over the picture and a linear head, on real deepfakes.

    python tools/weights_frames.py train STATE --crops CROPS --data DATA --start default.safetensors --hours 2
    python tools/weights_frames.py export STATE OUT.safetensors

CROPS is made by weights_frame_crops.py, DATA laid out by the corpus's collect.py. One process for each core,
whose gradients are averaged once a step: threads that wait for each other in every operation crawl as soon as
other work runs beside them. What a step draws depends on its number alone, so that training resumes anywhere.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from torch import Tensor, multiprocessing, nn
from torch.nn import functional as F
from weights_frames_validation import Validation
from weights_pairs import Mixture
from weights_stem import FrameClassifier, _normalized

STEM_PREFIX = "encoder.stem."
FROZEN_BLOCKS = 3
LOG_FIELDS = ("step", "pictures", "seconds", "pictures_per_second", "learning_rate", "loss", "pair_accuracy")


@dataclass(frozen=True)
class Plan:
    """How training goes."""

    seconds: float
    """Of work, over all resumptions; the schedule ends there."""
    processes: int = 2
    pairs: int = 8
    """Of each process in a step."""
    learning_rate: float = 4e-4
    warmup_steps: int = 100
    flat_part: float = 0.55
    """Of the time at the full rate; a cosine follows. Averaged weights are good at any time."""
    small_side: int = 192
    side: int = 224
    """Of the pictures while the rate is flat, and after; small ones are seen faster."""
    average: float = 0.998
    """Decay of the averaged weights, per step."""
    log_every: int = 25
    save_seconds: float = 180
    first_validation_seconds: float = 400
    validate_seconds: float = 1500


def main() -> None:
    """Trains, resumes or exports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    training = verbs.add_parser("train")
    training.add_argument("state", type=Path)
    for name in ("crops", "data", "start"):
        training.add_argument(f"--{name}", type=Path, required=True)
    training.add_argument("--hours", type=float, required=True, help="Of work, over all resumptions.")
    export = verbs.add_parser("export")
    export.add_argument("state", type=Path)
    export.add_argument("out", type=Path)
    options = parser.parse_args()
    if options.verb == "export":
        export_average(options.state, options.out)
        return
    plan = Plan(options.hours * 3600)
    options.state.mkdir(parents=True, exist_ok=True)
    (options.state / "rendezvous").unlink(missing_ok=True)
    arguments = (plan, options.state, options.crops, options.data, options.start)
    multiprocessing.spawn(_train, arguments, nprocs=plan.processes)  # pyright: ignore[reportPrivateImportUsage]


def export_average(state: Path, out: Path) -> None:
    """The averaged weights in half precision: ``stem.*`` and ``head.*``."""
    saved = torch.load(state / "resume.pt", weights_only=True)
    numbers = {name: str(saved[name]) for name in ("step", "pictures", "seconds")}
    part = out.with_suffix(".part")
    save_file({name: value.half().contiguous() for name, value in saved["average"].items()}, part, numbers)
    os.replace(part, out)
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, {numbers}", flush=True)


def _train(rank: int, plan: Plan, state: Path, crops: Path, data: Path, start: Path) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    # Matrix units multiply in bfloat16 and add in float32; the weights stay float32.
    torch.backends.mkldnn.conv.fp32_precision = "bf16"  # pyright: ignore[reportAttributeAccessIssue]
    dist.init_process_group(
        "gloo", init_method=f"file://{state.resolve()}/rendezvous", rank=rank, world_size=plan.processes
    )
    trainer = _Trainer(rank, plan, state, start)
    mixture = Mixture(crops, data, "train")
    validation = Validation(crops, data, rank, plan.processes)
    while trainer.seconds < plan.seconds:
        if trainer.step(mixture):
            mixture.refresh()
        if trainer.must_validate():
            trainer.note_validation(validation(trainer.averaged_model()))
    trainer.save()


class _Trainer:
    """Model, optimiser and averaged weights of one process, the same in all of them."""

    def __init__(self, rank: int, plan: Plan, state: Path, start: Path) -> None:
        self._rank, self._plan, self._state = rank, plan, state
        self._model = FrameClassifier(FROZEN_BLOCKS)
        self._step = self._pictures = 0
        self.seconds = 0.0
        """Of work so far, validation left out."""
        nn.init.zeros_(self._model.head.weight)
        self._model.load_state_dict(self._model.state_dict() | _start_weights(start))
        self._model = self._model.to(memory_format=torch.channels_last)
        for block in (self._model.stem.stem, *self._model.stem.blocks[:FROZEN_BLOCKS]):
            block.requires_grad_(False)
        self._parameters = [value for value in self._model.parameters() if value.requires_grad]
        self._optimizer = torch.optim.AdamW(self._parameters, lr=plan.learning_rate, weight_decay=1e-3)
        self._average = {name: value.clone() for name, value in self._model.state_dict().items()}
        self._saved_at = 0.0
        self._validated_at = plan.first_validation_seconds - plan.validate_seconds
        self._sums = torch.zeros(4)
        if (state / "resume.pt").is_file():
            self._resume(torch.load(state / "resume.pt", weights_only=True))

    def step(self, mixture: Mixture) -> bool:
        """One step of the optimiser, on ``pairs`` of each process; whether everything was saved after it."""
        begun = time.perf_counter()
        plan, progress = self._plan, self.seconds / self._plan.seconds
        for group in self._optimizer.param_groups:
            group["lr"] = self._learning_rate(progress)
        generator = np.random.default_rng([self._step, self._rank])
        torch.manual_seed(self._step * plan.processes + self._rank)
        side = plan.small_side if progress < plan.flat_part else plan.side
        pictures = np.stack([mixture.draw(generator, side) for _ in range(plan.pairs)])
        labels = torch.tensor([0, 1]).repeat(plan.pairs)
        logits = self._model(_normalized(torch.from_numpy(pictures).flatten(0, 1)))
        loss = F.cross_entropy(logits, labels, label_smoothing=0.05)
        self._optimizer.zero_grad()
        loss.backward()
        scores = (logits[:, 1] - logits[:, 0]).detach().unflatten(0, (-1, 2))
        accuracy = (scores[:, 1] > scores[:, 0]).float().mean()
        own = torch.tensor([float(loss.detach()), float(accuracy), time.perf_counter() - begun])
        loss_mean, accuracy, seconds = self._average_gradients(own).tolist()
        nn.utils.clip_grad_norm_(self._parameters, 5.0)
        self._optimizer.step()
        decay = min(plan.average, (1 + self._step) / (10 + self._step))
        with torch.no_grad():
            for name, value in self._model.state_dict().items():
                self._average[name].lerp_(value, 1 - decay)
        self._step += 1
        self._pictures += 2 * plan.pairs * plan.processes
        self.seconds += seconds
        self._note(loss_mean, accuracy, time.perf_counter() - begun)
        if self.seconds - self._saved_at <= plan.save_seconds:
            return False
        self.save()
        return True

    def _learning_rate(self, progress: float) -> float:
        plan = self._plan
        warmup = min(1.0, (self._step + 1) / plan.warmup_steps)
        falling = min(max(progress - plan.flat_part, 0.0) / (1 - plan.flat_part), 1.0)
        return plan.learning_rate * warmup * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * falling)))

    def _average_gradients(self, numbers: Tensor) -> Tensor:
        """Over the processes; the mean of each process's ``numbers`` travels with them, so that all agree."""
        gradients = [value.grad for value in self._parameters]
        assert all(gradient is not None for gradient in gradients)
        flat = torch.cat([gradient.flatten() for gradient in gradients if gradient is not None] + [numbers])
        dist.all_reduce(flat)
        flat /= self._plan.processes
        start = 0
        for gradient in gradients:
            if gradient is not None:
                gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
                start += gradient.numel()
        return flat[start:]

    def _note(self, loss: float, accuracy: float, wall_seconds: float) -> None:
        self._sums += torch.tensor([loss, accuracy, wall_seconds, 1.0])
        if self._step % self._plan.log_every == 0:
            loss, accuracy, wall_seconds = (self._sums[:3] / self._sums[3]).tolist()
            speed = 2 * self._plan.pairs * self._plan.processes / wall_seconds
            rate = self._optimizer.param_groups[0]["lr"]
            values = (
                self._step, self._pictures, f"{self.seconds:.0f}", f"{speed:.1f}", f"{rate:.2e}",
                f"{loss:.4f}", f"{accuracy:.3f}",
            )  # fmt: skip
            self._append("log.csv", dict(zip(LOG_FIELDS, values, strict=True)))
            self._sums.zero_()

    def must_validate(self) -> bool:
        """Whether it is time again."""
        due = self.seconds - self._validated_at > self._plan.validate_seconds
        if due:
            self._validated_at = self.seconds
        return due or self.seconds >= self._plan.seconds

    def averaged_model(self) -> FrameClassifier:
        """The averaged weights, to be judged."""
        model = FrameClassifier(0).to(memory_format=torch.channels_last)
        model.load_state_dict(self._average)
        return model.eval()

    def note_validation(self, results: dict[str, float]) -> None:
        """Into validation.csv, and what was judged into a small file beside it."""
        head = {"step": self._step, "pictures": self._pictures, "seconds": round(self.seconds)}
        self._append("validation.csv", head | {name: f"{value:.3f}" for name, value in results.items()})
        self.save()
        if self._rank == 0:
            export_average(self._state, self._state / f"average_{self._pictures:07d}.safetensors")

    def save(self) -> None:
        """Everything that resuming needs; whole or not at all."""
        self._saved_at = self.seconds
        if self._rank != 0:
            return
        part = self._state / "resume.part"
        torch.save(
            {
                "model": self._model.state_dict(),
                "average": self._average,
                "optimizer": self._optimizer.state_dict(),
                "step": self._step,
                "pictures": self._pictures,
                "seconds": self.seconds,
                "validated_at": self._validated_at,
                "plan": asdict(self._plan),
            },
            part,
        )
        os.replace(part, self._state / "resume.pt")

    def _resume(self, saved: dict) -> None:
        self._model.load_state_dict(saved["model"])
        self._optimizer.load_state_dict(saved["optimizer"])
        self._average = saved["average"]
        self._step, self._pictures, self.seconds = saved["step"], saved["pictures"], saved["seconds"]
        self._saved_at, self._validated_at = self.seconds, saved["validated_at"]

    def _append(self, name: str, values: dict) -> None:
        if self._rank != 0:
            return
        path = self._state / name
        is_new = not path.is_file()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(values))
            if is_new:
                writer.writeheader()
            writer.writerow(values)


def _start_weights(path: Path) -> dict[str, Tensor]:
    """The stem of a checkpoint of the product's, or all that ``export`` wrote, under this model's names."""
    weights = {name: value.float() for name, value in load_file(path).items()}
    stem = {
        f"stem.{name.removeprefix(STEM_PREFIX)}": value
        for name, value in weights.items()
        if name.startswith(STEM_PREFIX)
    }
    return stem or weights


if __name__ == "__main__":
    main()
