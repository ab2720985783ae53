"""All tasks that can stand beside a network, by name, and those that an objective asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deepfake_ssat.config import ObjectiveSettings, ViewTaskName
from deepfake_ssat.models.network import Network
from deepfake_ssat.objectives.dino import Dino
from deepfake_ssat.objectives.guidance import Guidance
from deepfake_ssat.objectives.relative_localisation import RelativeLocalisation
from deepfake_ssat.objectives.simclr import Simclr
from deepfake_ssat.objectives.tasks import MapTask, Tasks, ViewTask


def build_tasks(model: Network, settings: ObjectiveSettings) -> Tasks:
    """The tasks of an objective for a network; a teacher begins as a copy of it.

    Raises CheckpointError or ConfigError for a teacher's file that does not fit.
    """
    on_views = VIEW_TASKS[settings.view_task](model, settings) if settings.view_task else None
    on_maps = {name: MAP_TASKS[name](model, settings) for name in settings.terms}
    return Tasks(on_views, on_maps)


def _simclr(model: Any, settings: ObjectiveSettings) -> ViewTask:
    return Simclr(model.feature_width, settings.simclr)


def _dino(model: Any, settings: ObjectiveSettings) -> ViewTask:
    return Dino(model, settings.dino)


def _relative_localisation(model: Any, settings: ObjectiveSettings) -> MapTask:
    assert settings.relative_localisation is not None
    return RelativeLocalisation(model.feature_width, settings.relative_localisation)


def _guidance(model: Any, settings: ObjectiveSettings) -> MapTask:
    assert settings.guidance is not None
    return Guidance(model, model.feature_width, settings.guidance)


VIEW_TASKS: dict[ViewTaskName, Callable[[Any, ObjectiveSettings], ViewTask]] = {
    "simclr": _simclr,
    "dino": _dino,
}
MAP_TASKS: dict[str, Callable[[Any, ObjectiveSettings], MapTask]] = {
    "relative_localisation": _relative_localisation,
    "guidance": _guidance,
}
"""By the name of their settings in the objective's."""
