"""Table 5's runs: the trainings that a method consists of, their changes to the recipe, and their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

CONFIG = Path(__file__).resolve().parent.parent / "configs" / "image_ssat_pneumoniamnist.yaml"
METHODS = ("scratch", "ssat", "ssl_finetune", "supmae")
VARIANTS = {"paper": "true", "held_out": "false"}
"""``data.train_on_val``: train on train + val and watch test, or keep val apart to choose the epoch."""
WARMUP_EPOCHS = 5.0
WARMUP_PART = 0.1
"""Of a training shorter than table 14's: its warm-up is no longer than this part."""
COMMON = (
    "trainer.workers=1",
    "trainer.reconstruction_samples=0",
    "trainer.checkpoint_every_steps=40",
)
PRETRAINING = (
    "objective.name=mae",
    "objective.classification_weight=0.0",
    "objective.label_smoothing=0.0",
    "augmentation.name=flip",
    "augmentation.random_erasing=0.0",
    "augmentation.random_resized_crop=[0.2, 1.0]",
    "optimizer.betas=[0.9, 0.95]",
)
"""MAE's augmentation and betas; rate, schedule and batch stay table 14's."""
CLASSIFICATION = ("objective.name=scratch", "objective.classification_weight=1.0")


@dataclass(frozen=True)
class Stage:
    """One training of a method."""

    variant: str
    seed: int
    method: str
    name: str
    """Of its folder."""
    folder: Path
    epochs: int
    changes: tuple[str, ...]
    """``section.key=value`` on top of ``CONFIG``."""

    @property
    def cost_file(self) -> Path:
        """Time and energy of its sessions; beside the folder, which is the trainer's."""
        return self.folder.with_name(f"{self.name}.cost.json")

    @property
    def test_file(self) -> Path:
        """What its checkpoints get right on the test split."""
        return self.folder.with_name(f"{self.name}.test.json")


def stage_names(method: str) -> tuple[str, ...]:
    """The folders of a method's trainings, in order; the last one classifies."""
    return ("ssl_pretrain", "ssl_finetune") if method == "ssl_finetune" else (method,)


def make_plan(
    data: Path,
    out: Path,
    epochs: int,
    seeds: Sequence[int],
    methods: Sequence[str],
    variants: Sequence[str],
    threads: int | None,
    changes: Sequence[str],
) -> list[Stage]:
    """All methods of a seed before the next seed, so that it may be stopped anywhere and still compares."""
    own = (f"data.path={data}", *COMMON)
    if threads is not None:
        own += (f"trainer.threads={threads}",)
    return [
        Stage(
            variant,
            seed,
            method,
            name,
            folder,
            part,
            (
                *own,
                f"seed={seed}",
                f"data.train_on_val={VARIANTS[variant]}",
                f"trainer.epochs={part}",
                f"optimizer.warmup_epochs={min(WARMUP_EPOCHS, WARMUP_PART * part):g}",
                *special,
                *changes,
            ),
        )
        for seed in seeds
        for variant in variants
        for method in methods
        for name, folder, part, special in _stages(seed_folder(out, variant, seed), method, epochs)
    ]


def seed_folder(out: Path, variant: str, seed: int) -> Path:
    """Where the runs of a variant and seed are."""
    return out / "runs" / variant / f"seed{seed}"


def _stages(parent: Path, method: str, epochs: int) -> Iterator[tuple[str, Path, int, tuple[str, ...]]]:
    """(name, folder, epochs, changes) of a method's trainings; together they last ``epochs``."""
    if method != "ssl_finetune":
        special = {
            "scratch": CLASSIFICATION,
            "ssat": (),
            "supmae": ("objective.name=supmae",),
        }[method]
        yield method, parent / method, epochs, special
        return
    before, after = stage_names(method)
    half = epochs // 2
    yield before, parent / before, half, (*PRETRAINING, f"trainer.validate_every_epochs={max(half // 10, 1)}")
    # The last weights: the best ones would have been chosen on the test split in the paper's variant.
    init = parent / before / "checkpoints" / "last.safetensors"
    yield after, parent / after, epochs - half, (*CLASSIFICATION, f"init={init}")
