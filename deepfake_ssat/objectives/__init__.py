"""What a step of training minimises: objectives over one network, and the tasks that stand beside it."""

from deepfake_ssat.objectives.building import build_tasks
from deepfake_ssat.objectives.functions import OBJECTIVES, Losses, Objective
from deepfake_ssat.objectives.losses import classification_loss, equation3_weights, reconstruction_loss
from deepfake_ssat.objectives.tasks import Auxiliary, Tasks

__all__ = [
    "OBJECTIVES",
    "Auxiliary",
    "Losses",
    "Objective",
    "Tasks",
    "build_tasks",
    "classification_loss",
    "equation3_weights",
    "reconstruction_loss",
]
