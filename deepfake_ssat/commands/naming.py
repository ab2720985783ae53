"""Names of what several verbs take more than one of: NAME=PATH, or a path named after itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deepfake_ssat.errors import ConfigError

CHECKPOINTS_FOLDER = "checkpoints"


def named_paths(values: Sequence[str], option: str) -> dict[str, Path]:
    """NAME=PATH, or a path named after itself: a file of ``train`` after its run, a folder after itself.

    Raises ConfigError for a name given twice, or one that cannot be a folder's.
    """
    found: dict[str, Path] = {}
    for value in values:
        name, equals, rest = value.partition("=")
        path = Path(rest if equals else value)
        if not equals:
            name = _own_name(path)
        if not name or name in (".", "..") or "/" in name:
            raise ConfigError(f"{option} {value}: {name!r} is no name; write NAME=PATH with another one")
        if name in found:
            raise ConfigError(
                f"{option} {value}: {found[name]} is called {name} too; write NAME=PATH to tell them apart"
            )
        found[name] = path
    return found


def _own_name(path: Path) -> str:
    path = path.resolve()
    if path.parent.name == CHECKPOINTS_FOLDER:
        return path.parent.parent.name
    if path.suffix == ".csv":
        return path.parent.name
    return path.stem if path.suffix == ".safetensors" else path.name
