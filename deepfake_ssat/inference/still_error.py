"""How much a verdict on a single picture is worth: tools/measure_stills.py keeps it in a checkpoint."""

from __future__ import annotations

from typing import Any

from deepfake_ssat.models.checkpoint import Checkpoint

KEY = "stills"
"""Of a checkpoint's metrics: ``measured_on``, ``auc`` with ``low`` and ``high``, ``genuine``,
``genuine_called_fake``, ``manipulated`` and ``manipulated_called_real``."""


def still_warning(checkpoint: Checkpoint) -> str:
    """What to know of such a verdict, in one line."""
    said = "a single picture was judged: it tells less than a video, since nothing moves"
    measured: dict[str, Any] | None = checkpoint.metrics.get(KEY)
    if measured is None:
        return f"{said}; how often these weights err on pictures was not measured"
    fakes, reals = "genuine_called_fake", "manipulated_called_real"
    return (
        f"{said}. On {measured['measured_on']}, {measured[fakes]} of {measured['genuine']} genuine ones were "
        f"called fake and {measured[reals]} of {measured['manipulated']} manipulated ones real; AUC "
        f"{measured['auc']:.2f} [{measured['low']:.2f}, {measured['high']:.2f}]"
    )
