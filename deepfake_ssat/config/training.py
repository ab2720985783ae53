"""One experiment: model, objective, data, optimiser, schedule and hardware."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from deepfake_ssat.config.auxiliary import (
    DinoSettings,
    GuidanceSettings,
    RelativeLocalisationSettings,
    SimclrSettings,
    ViewTaskName,
)
from deepfake_ssat.config.baselines import NetworkSettings
from deepfake_ssat.config.data import Augmentation, DataSource, FaceClips, Mixture
from deepfake_ssat.config.model import STEM_BLOCKS, ModelSettings


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Momentum = Annotated[float, Field(ge=0.0, lt=1.0)]


ObjectiveName = Literal[
    "scratch", "mae", "ssat", "ssat_visible", "supmae", "simclr", "dino", "ssat_simclr", "ssat_dino"
]
LoggerName = Literal["csv", "tensorboard", "wandb", "mlflow"]
WITHOUT_LABELS: tuple[ObjectiveName, ...] = ("mae", "simclr", "dino")
"""Pre-training, whose classifier stays random."""
VIEW_TASKS: dict[ObjectiveName, ViewTaskName] = {
    "simclr": "simclr",
    "dino": "dino",
    "ssat_simclr": "simclr",
    "ssat_dino": "dino",
}
CLASSIFYING_WHOLE_CLIPS: tuple[ObjectiveName, ...] = ("scratch", "ssat", "ssat_simclr", "ssat_dino")
"""Those that the terms of small-data relatives can be added to."""
TOKEN_NETWORKS = ("masked_autoencoder", "swin", "cvt")
"""Kinds that give views' features and maps of every block: what the tasks above read."""


class ObjectiveSettings(_Frozen):
    """Which losses, and their balance (paper section 3; equation 3 for the class weight)."""

    name: ObjectiveName = "ssat"
    """ssat, ssat_simclr, ssat_dino: classification with a self-supervised task; mae, simclr, dino: the task
    alone, to be fine-tuned; scratch: classification alone. (ssat_visible and supmae read visible tokens.)"""
    classification_weight: float = Field(0.1, ge=0.0, le=1.0)
    """λ of λ·L_cls + (1−λ)·L_SSAT; SupMAE's sum is w·L_cls + L_rec, with w = 0.01 in its authors' recipe."""
    supmae_temperature: float = Field(10.0, gt=0.0)
    """SupMAE divides its logits by it before the cross-entropy."""
    mask_ratio: float = Field(0.75, gt=0.0, lt=1.0)
    normalize_target: bool = True
    """Reconstruct pixels normalised patch by patch instead of raw ones."""
    target_convention: Literal["videomae", "mae"] = "videomae"
    """VideoMAE: pixels in [0, 1], normalised per patch and channel. MAE: the network's input, per patch."""
    class_weight: Literal["auto", "none"] | Fraction = "auto"
    """w of equation 3, on the real class (1 − w on fake).

    auto is the fraction of fakes among the training clips; pictures that are no faces have no weights then.
    """
    label_smoothing: float = Field(0.0, ge=0.0, lt=1.0)
    simclr: SimclrSettings = SimclrSettings()  # pyright: ignore[reportCallIssue]
    dino: DinoSettings = DinoSettings()  # pyright: ignore[reportCallIssue]
    relative_localisation: RelativeLocalisationSettings | None = None
    """Added to L_cls."""
    guidance: GuidanceSettings | None = None
    """Added to L_cls."""

    @property
    def classifies(self) -> bool:
        """Whether it reads labels; the classifier stays random without."""
        return self.name not in WITHOUT_LABELS

    @property
    def reconstructs(self) -> bool:
        """Whether it hides patches and has the decoder predict them."""
        return self.name in ("mae", "ssat", "ssat_visible", "supmae")

    @property
    def terms(self) -> tuple[str, ...]:
        """The settings of what is added to the classification's loss, by name."""
        return tuple(name for name in ("relative_localisation", "guidance") if getattr(self, name))

    @property
    def view_task(self) -> ViewTaskName | None:
        """The task that compares two augmented views, where there is one."""
        return VIEW_TASKS.get(self.name)


class OptimizerSettings(_Frozen):
    """AdamW with layer decay, warm-up, flat part and cosine, exponential moving average and clipping."""

    base_learning_rate: float = Field(1e-3, gt=0)
    """Absolute rate = base × effective batch / 256."""
    batch_size: int = Field(8, ge=1)
    """Clips per process, and per batch that is accumulated."""
    accumulate_batches: int = Field(1, ge=1)
    betas: tuple[Momentum, Momentum] = (0.9, 0.999)
    eps: float = Field(1e-8, gt=0)
    weight_decay: float = Field(0.05, ge=0)
    layer_decay: float = Field(1.0, gt=0, le=1)
    warmup_epochs: float = Field(5.0, ge=0)
    warmup_learning_rate: float = Field(1e-6, ge=0)
    final_learning_rate: float = Field(1e-6, ge=0)
    flat_part: float = Field(0.0, ge=0, le=1)
    """Of the steps after the warm-up, so many at the full rate; the cosine has the rest."""
    clip_gradient_norm: float | None = Field(None, gt=0)
    stem_rate: float = Field(1.0, gt=0)
    """Of a convolutional stem, as a part of the rate that its layer has; below 1 it forgets less."""
    frozen_stem_blocks: int = Field(0, ge=0, le=STEM_BLOCKS)
    """So many first blocks of a convolutional stem, and what is before them, stay as ``init`` brought them.

    No gradient enters them, which saves the time of the largest pictures.
    """
    freeze_stem: bool = False
    """Leave a convolutional stem as ``init`` brought it: half the time of a step, and no forgetting."""
    ema_decay: float | None = Field(None, gt=0, lt=1)
    """Validated and kept are then the moving averages of the weights."""

    @model_validator(mode="after")
    def _check_stem(self) -> OptimizerSettings:
        if self.freeze_stem and (self.stem_rate != 1 or self.frozen_stem_blocks):
            raise ValueError(
                "freeze_stem freezes the whole stem: leave stem_rate and frozen_stem_blocks out, or set it "
                "to false"
            )
        return self

    @property
    def names_stem(self) -> str | None:
        """The first setting that only a convolutional stem can serve; None where there is none."""
        given = {
            "freeze_stem": self.freeze_stem,
            "frozen_stem_blocks": self.frozen_stem_blocks,
            "stem_rate": self.stem_rate != 1,
        }
        return next((name for name, value in given.items() if value), None)


class TrainerSettings(_Frozen):
    """How long, on what, and how often results are written."""

    epochs: int = Field(100, ge=1)
    precision: Literal["fp32", "bf16", "bf16_products"] = "bf16"
    """bf16: autocast of the network. bf16_products: on a CPU, fp32 whose products alone may be in bf16, which
    with AMX is twice as fast for a convolutional stem; on a GPU as bf16. The losses are always in fp32."""
    activation_checkpointing: bool = False
    """A ViT's blocks keep their inputs alone for the gradient and compute the rest anew: less memory, a
    forward pass more of time."""
    compile: bool = False
    """A ViT's blocks are compiled (torch.compile), in the first minute or minutes: faster steps after it. A
    CPU needs a C++ compiler for it."""
    strategy: Literal["ddp", "fsdp"] = "ddp"
    """Of several processes. ddp: each has the whole model. fsdp: each has its part of a ViT's weights, their
    gradients and AdamW's moments, for models that are large for one device."""
    workers: int = Field(8, ge=0)
    """Data-loading processes; as many keep one GPU busy with face clips."""
    threads: int | None = Field(None, ge=1)
    """CPU threads of torch; None leaves its choice."""
    validate_every_epochs: int = Field(1, ge=1)
    """The last epoch is always validated."""
    checkpoint_every_steps: int = Field(500, ge=1)
    """A killed run loses at most so many steps."""
    keep_every_epochs: int | None = Field(None, ge=1)
    """The weights after each validated epoch that this divides stay, beside the best and the last."""
    log_every_steps: int = Field(10, ge=1)
    logger: tuple[LoggerName, ...] = ("tensorboard",)
    """One or several, written into the run folder; metrics.csv is always there, csv alone adds nothing to it.

    wandb and mlflow need the extras of these names.
    """
    reconstruction_samples: int = Field(4, ge=0)
    """Validation clips drawn as pictures after each validation."""

    @field_validator("logger", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, logger: Any) -> Any:
        return (logger,) if isinstance(logger, str) else logger


CHANGES_NO_RESULT = frozenset(
    {
        "activation_checkpointing",
        "checkpoint_every_steps",
        "compile",
        "keep_every_epochs",
        "log_every_steps",
        "logger",
        "reconstruction_samples",
        "strategy",
        "threads",
        "workers",
    }
)
"""Settings of the trainer that leave a result as it is (to rounding), for machines and people to choose."""


class Experiment(_Frozen):
    """A resolved configuration: every setting, whether a file of configs/ gives it or it is a default here.

    A file holds what differs: from these defaults, or from the one ``base`` that it names.
    """

    seed: int = Field(0, ge=0)
    model: NetworkSettings = Field(discriminator="kind")
    init: Path | None = None
    """Weights to start from: a file of ours, MAE, VideoMAE, Swin, CvT, a timm backbone; or ``timm:NAME``.

    Also a folder of Hugging Face's layout, or ``hf:OWNER/NAME[@REVISION]`` of its hub.
    """
    objective: ObjectiveSettings = ObjectiveSettings()  # pyright: ignore[reportCallIssue]
    data: DataSource
    augmentation: Augmentation = Augmentation()  # pyright: ignore[reportCallIssue]
    optimizer: OptimizerSettings = OptimizerSettings()  # pyright: ignore[reportCallIssue]
    trainer: TrainerSettings = TrainerSettings()  # pyright: ignore[reportCallIssue]

    @field_validator("model", mode="before")
    @classmethod
    def _fill_kind(cls, model: Any) -> Any:
        """A section without a kind is of the masked autoencoder, the only kind there once was."""
        return {"kind": "masked_autoencoder", **model} if isinstance(model, dict) else model

    @model_validator(mode="after")
    def _check_schedule(self) -> Experiment:
        warmup, epochs = self.optimizer.warmup_epochs, self.trainer.epochs
        if warmup >= epochs:
            raise ValueError(
                f"optimizer.warmup_epochs {warmup:g} leaves nothing of trainer.epochs {epochs}: "
                "take a shorter warm-up or more epochs"
            )
        return self

    @model_validator(mode="after")
    def _check_tasks(self) -> Experiment:
        model, objective = self.model, self.objective
        given = objective.terms
        if given and objective.name not in CLASSIFYING_WHOLE_CLIPS:
            raise ValueError(
                f"objective.{given[0]} is added to the classification of whole clips, objective.name is "
                f"{objective.name}: take {', '.join(CLASSIFYING_WHOLE_CLIPS)}, or set it to null"
            )
        tasks = [*([objective.name] if objective.view_task else []), *given]
        if tasks and model.kind not in TOKEN_NETWORKS:
            raise ValueError(
                f"{tasks[0]} needs a model of kind {', '.join(TOKEN_NETWORKS)}, model.kind is {model.kind}"
            )
        guidance = objective.guidance
        if guidance is not None and not isinstance(model, ModelSettings):
            raise ValueError(
                f"objective.guidance reads blocks of one width, model.kind is {model.kind}: set it to null, "
                "or model.kind to masked_autoencoder"
            )
        if guidance is not None and isinstance(model, ModelSettings):
            if model.frames != 1:
                raise ValueError(f"objective.guidance reads single pictures, model.frames is {model.frames}")
            if max(guidance.blocks) >= model.encoder.depth:
                raise ValueError(
                    f"objective.guidance.blocks {list(guidance.blocks)}: the encoder's last block is "
                    f"{model.encoder.depth - 1}"
                )
        return self

    @model_validator(mode="after")
    def _check_blocks(self) -> Experiment:
        trainer, decay = self.trainer, self.optimizer.ema_decay
        for wanted, setting, other in (
            (trainer.activation_checkpointing, "activation_checkpointing", "false"),
            (trainer.compile, "compile", "false"),
            (trainer.strategy == "fsdp", "strategy fsdp", "ddp"),
        ):
            if wanted and not isinstance(self.model, ModelSettings):
                raise ValueError(
                    f"trainer.{setting} is for a plain ViT's blocks, model.kind is {self.model.kind}: set it "
                    f"to {other}, or model.kind to masked_autoencoder"
                )
        if trainer.strategy == "fsdp" and decay is not None:
            raise ValueError(
                f"optimizer.ema_decay {decay:g} averages whole weights, trainer.strategy fsdp splits them: "
                "set ema_decay to null, or strategy to ddp"
            )
        return self

    @model_validator(mode="after")
    def _check_together(self) -> Experiment:
        if not isinstance(self.data, FaceClips | Mixture) and self.model.frames != 1:
            raise ValueError(f"data.kind {self.data.kind} gives single images: model.frames must be 1")
        model, objective = self.model, self.objective
        if objective.reconstructs and model.pixels_per_patch is None:
            raise ValueError(
                f"objective.name {objective.name} needs a network with a decoder, model.kind {model.kind} "
                "has none: set objective.name to scratch"
            )
        uniform = objective.reconstructs and getattr(model, "uniform_masking", None)
        if uniform and objective.mask_ratio != 0.75:
            raise ValueError(
                f"model.uniform_masking hides three patches of four, objective.mask_ratio is "
                f"{objective.mask_ratio:g}: set it to 0.75, or model.uniform_masking to null"
            )
        if objective.reconstructs and objective.normalize_target and model.pixels_per_patch == 1:
            raise ValueError(
                "a patch of one pixel cannot be normalised: set objective.normalize_target to false"
            )
        if getattr(model, "head", None) == "mlp_batch_norm" and self.optimizer.batch_size < 2:
            raise ValueError(
                "model.head mlp_batch_norm normalises over a batch, optimizer.batch_size is 1: take 2 or more"
            )
        if not objective.classifies and self.augmentation.mixup:
            raise ValueError(f"objective {objective.name} has no labels to mix: set augmentation.mixup to 0")
        return self
