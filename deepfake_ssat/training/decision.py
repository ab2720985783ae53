"""The threshold and the uncertain band of a checkpoint, from the scores of its validation videos."""

from __future__ import annotations

import numpy as np

from deepfake_ssat.metrics import choose_threshold
from deepfake_ssat.models.decision import Decision
from deepfake_ssat.records import FAKE, REAL

ALLOWED_ERRORS = 0.05


def choose_decision(labels: np.ndarray, probabilities: np.ndarray) -> Decision:
    """The threshold of the highest balanced accuracy (Youden), and a band around it where nothing is claimed.

    "Fake" is claimed above at least 95 % of the validation's genuine videos, "real" below at least 95 % of
    its fakes; between the two, the verdict is uncertain. Classes that lie apart have no band. Small
    validation sets give a coarse band. One class alone gives the default decision.
    """
    threshold = choose_threshold(labels, probabilities)
    if threshold is None:
        return Decision()
    above_reals = np.quantile(probabilities[labels == REAL], 1.0 - ALLOWED_ERRORS, method="higher")
    below_fakes = np.quantile(probabilities[labels == FAKE], ALLOWED_ERRORS, method="lower")
    # Scores at the edge itself belong to the errors that are to be avoided.
    high = max(threshold, np.nextafter(above_reals, 2.0))
    low = min(threshold, below_fakes)
    return Decision(
        threshold=threshold, uncertain_low=float(max(low, 0.0)), uncertain_high=float(min(high, 1.0))
    )
