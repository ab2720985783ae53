"""timm as an optional library: whether it is installed, and the weights that it publishes.

``init: timm:NAME`` starts a network from them, such as ``timm:resnet50.a1_in1k``: out of the cache of Hugging
Face's hub, or over the user's network.
"""

from __future__ import annotations

import difflib
import importlib.util
from pathlib import Path

from torch import Tensor

from deepfake_ssat.errors import CheckpointError, ConfigError, install

PREFIX = "timm:"


def require_timm(what: str) -> None:
    """Raises ConfigError where timm is not installed."""
    if importlib.util.find_spec("timm") is None:
        raise ConfigError(f"{what} is timm's: {install('train')}")


def is_published(path: Path) -> bool:
    """Whether an ``init`` names weights that timm publishes, and no file."""
    return str(path).startswith(PREFIX)


def published_weights(path: Path) -> dict[str, Tensor]:
    """The weights of ``timm:NAME`` or ``timm:NAME.TAG`` by timm's names, the classifier's with them.

    Raises CheckpointError for a name that timm has no weights for, and where they are neither in the cache
    nor within reach.
    """
    require_timm(f"init {path}")
    import timm

    name = str(path).removeprefix(PREFIX)
    if not timm.is_model_pretrained(name):
        architecture = name.partition(".")[0]
        known = timm.list_pretrained(f"{architecture}.*") or difflib.get_close_matches(
            name, timm.list_pretrained(), n=3
        )
        raise CheckpointError(
            f"init {path}: timm {timm.__version__} publishes no such weights"
            f"{'; it has ' + ', '.join(known[:4]) + ' …' * (len(known) > 4) if known else ''}"
        )
    try:
        return dict(timm.create_model(name, pretrained=True).state_dict())
    except OSError as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"init {path}: is not in the cache and cannot be fetched ({reason}); try again with a network, "
            "or give a file of these weights as init"
        ) from error
