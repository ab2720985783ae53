"""DINO (Caron et al., ICCV 2021): a student matches its teacher's view of a clip, the teacher follows it.

B batch, C channels, T frames, H W pixels, D features, K prototypes.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepfake_ssat.config import DinoSettings
from deepfake_ssat.models.network import FeatureNetwork, Network
from deepfake_ssat.objectives.tasks import ViewTask


class DinoHead(nn.Module):
    """Three layers, the unit sphere, and cosines to K prototypes of length 1."""

    def __init__(self, feature_width: int, settings: DinoSettings) -> None:
        super().__init__()
        hidden, bottleneck = settings.hidden_width, settings.bottleneck_width
        self.mlp = nn.Sequential(
            nn.Linear(feature_width, hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, bottleneck),
        )
        for layer in self.mlp:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)
        self.prototypes = nn.Parameter(torch.randn(settings.prototypes, bottleneck) / bottleneck**0.5)

    def forward(self, features: Tensor, freeze_prototypes: bool = False) -> Tensor:
        """(B, D) -> (B, K); with frozen prototypes their gradient is zero."""
        prototypes = F.normalize(self.prototypes, dim=1)
        if freeze_prototypes:
            # Zero instead of none: DDP waits for the gradient of every parameter.
            prototypes = prototypes.detach() + 0.0 * prototypes
        return F.linear(F.normalize(self.mlp(features), dim=1), prototypes)


class Dino(ViewTask):
    """The student's head; the teacher, a moving average of network and head; and its outputs' centre."""

    center: Tensor

    def __init__(self, model: Network, settings: DinoSettings) -> None:
        super().__init__()
        self._settings = settings
        self.head = DinoHead(model.feature_width, settings)  # pyright: ignore[reportArgumentType]
        self.teacher_head = copy.deepcopy(self.head)
        self.teacher = copy.deepcopy(model)
        self.teacher.drop_decoder()
        for parameter in (*self.teacher.parameters(), *self.teacher_head.parameters()):
            parameter.requires_grad_(False)
        self.register_buffer("center", torch.zeros(settings.prototypes))
        self.train(self.training)

    def train(self, mode: bool = True) -> Dino:
        """The teacher never drops paths."""
        super().train(mode)
        self.teacher.eval()
        return self

    def forward(self, model: FeatureNetwork, views: Tensor, progress: float) -> Tensor:
        """Views (2, B, C, T, H, W) -> each view of the student against the other one of the teacher."""
        both = views.flatten(0, 1)
        frozen = progress < self._settings.freeze_last_layer
        student = self.head(model.features(both), freeze_prototypes=frozen).float()
        with torch.no_grad():
            teacher = self.teacher_head(self.teacher.features(both)).float()  # pyright: ignore[reportCallIssue]
        temperature = teacher_temperature(self._settings, progress)
        loss = dino_loss(
            student.unflatten(0, views.shape[:2]),
            teacher.unflatten(0, views.shape[:2]),
            self.center,
            self._settings.student_temperature,
            temperature,
        )
        if self.training:
            self._follow_center(teacher)
        return loss

    @torch.no_grad()
    def after_step(self, model: Network, progress: float) -> None:
        """The teacher moves a little towards the student."""
        share = 1.0 - teacher_momentum(self._settings, progress)
        for teacher, student in ((self.teacher, model), (self.teacher_head, self.head)):
            students = dict(student.named_parameters())
            for name, parameter in teacher.named_parameters():
                parameter.lerp_(students[name], share)

    @torch.no_grad()
    def _follow_center(self, teacher: Tensor) -> None:
        """(2 B, K): towards the mean of the outputs of all processes."""
        mean = teacher.mean(dim=0)
        if torch.distributed.is_initialized():
            torch.distributed.all_reduce(mean)
            mean /= torch.distributed.get_world_size()
        self.center.lerp_(mean, 1.0 - self._settings.center_momentum)


def dino_loss(
    student: Tensor, teacher: Tensor, center: Tensor, student_temperature: float, teacher_temperature: float
) -> Tensor:
    """(2, B, K) each, (K,) -> cross-entropy of each view of the student from the teacher's other view.

    The teacher's outputs are centred and sharpened, so that neither one prototype nor all of them win always.
    """
    targets = ((teacher - center) / teacher_temperature).softmax(dim=-1)
    predictions = (student / student_temperature).log_softmax(dim=-1)
    return -(targets.flip(0) * predictions).sum(dim=-1).mean()


def teacher_temperature(settings: DinoSettings, progress: float) -> float:
    """Rises in a line through the warm-up, and stays."""
    start, end = settings.teacher_temperature
    warmup = settings.teacher_temperature_warmup
    return end if progress >= warmup else start + (end - start) * progress / warmup


def teacher_momentum(settings: DinoSettings, progress: float) -> float:
    """Half a cosine from the first value to 1."""
    return 1.0 - (1.0 - settings.teacher_momentum) * (math.cos(math.pi * progress) + 1.0) / 2.0
