"""A configuration is written in layers: its base, itself, the smoke overlay, --set; the last word counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deepfake_ssat.errors import ConfigError

TAG = "kind"
"""The key that tells which form a section has."""
BASE, SMOKE = "base", "smoke"
"""Keys of a file beside those of an experiment: what it adds to, and what makes it small."""
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Eight times as fast in C, where PyYAML has it: planning a table of the paper reads files by the hundred."""
YAML_ERRORS = (yaml.YAMLError, ValueError)
"""ValueError is of dates that are in no calendar: YAML takes 2020-13-45 for one."""
RUNS_FOLDER = Path("runs")
"""Where ``train`` puts runs that are given no folder."""


@dataclass(frozen=True)
class ConfigFile:
    """What one file adds to its base."""

    path: Path
    values: dict[str, Any]
    base: Path | None
    smoke: Path | None
    """The overlay that it names."""

    @property
    def source(self) -> str:
        """As an error calls it."""
        return str(self.path)

    def apply(self, values: dict[str, Any]) -> None:
        """Adds itself to nested values in place, section by section."""
        _merge(values, self.values)

    def holds(self, location: Sequence[str]) -> bool:
        """Whether it gives the value at a location."""
        return _has(self.values, location)


@dataclass(frozen=True)
class Change:
    """One ``section.key=value`` of the command line; its value replaces what was there."""

    text: str
    keys: tuple[str, ...]
    value: Any

    @property
    def source(self) -> str:
        """As an error calls it."""
        return f"--set {self.text}"

    def apply(self, values: dict[str, Any]) -> None:
        """Applies itself to nested values in place; raises ConfigError where a section is a value."""
        section = values
        for key in self.keys[:-1]:
            section = section.setdefault(key, {})
            if not isinstance(section, dict):
                raise ConfigError(f"{self.source}: {key} is a value, not a section")
        section[self.keys[-1]] = self.value

    def holds(self, location: Sequence[str]) -> bool:
        """Whether it gives the value at a location, or a part of it."""
        own = len(self.keys)
        if tuple(location[:own]) == self.keys:
            return _has(self.value, location[own:])
        return self.keys[: len(location)] == tuple(location)


@dataclass(frozen=True)
class Layers:
    """All layers of one configuration, the last word last."""

    path: Path
    """Of the file that was asked for."""
    files: tuple[ConfigFile, ...]
    changes: tuple[Change, ...]
    smoke: bool

    def merged(self) -> dict[str, Any]:
        """The nested values that they amount to."""
        values: dict[str, Any] = {}
        for file in self.files:
            file.apply(values)
        if self.smoke:
            values["init"] = _of_smoke_run(values.get("init"))
            guidance = (values.get("objective") or {}).get("guidance")
            if isinstance(guidance, dict):
                guidance["teacher"] = _of_smoke_run(guidance.get("teacher"))
        for change in self.changes:
            change.apply(values)
        return values

    def source(self, location: Sequence[str]) -> str:
        """Which layer had the last word at a location; the file that was asked for where none has."""
        keys = [part for part in location if not part.isdigit()]
        holders = [layer.source for layer in (*self.files, *self.changes) if keys and layer.holds(keys)]
        return holders[-1] if holders else str(self.path)


def read_layers(path: Path, changes: Sequence[str] = (), smoke: bool = False) -> Layers:
    """Reads a file and its chain of bases, and with ``smoke`` the overlay that the last of them names.

    Raises ConfigError, naming the file, for what is no configuration, a base that leads back to its file, or
    a file without an overlay.
    """
    files = _read_chain(path, ())
    if smoke:
        overlays = [file.smoke for file in files if file.smoke is not None]
        if not overlays:
            raise ConfigError(
                f"{path}: names no smoke overlay; add {SMOKE}: FILE, as configs/smoke/ has them"
            )
        files += _read_chain(overlays[-1], ())
    return Layers(path, tuple(files), tuple(map(parse_change, changes)), smoke)


def parse_change(text: str) -> Change:
    """One ``section.key=value``, its value read as YAML."""
    name, equals, value = text.partition("=")
    keys = tuple(name.split("."))
    if not equals or not all(keys):
        raise ConfigError(f"--set {text}: write section.key=value, such as optimizer.batch_size=4")
    if keys[0] in (BASE, SMOKE):
        raise ConfigError(f"--set {text}: {keys[0]} is a key of files alone; write a file that names it")
    try:
        return Change(text, keys, yaml.safe_load(value))
    except YAML_ERRORS as error:
        raise ConfigError(f"--set {text}: the value is not YAML ({' '.join(str(error).split())})") from error


def experiment_name(path: Path, smoke: bool = False) -> str:
    """What an experiment's run, row or table is called."""
    return f"smoke_{path.stem}" if smoke else path.stem


def read_sections(path: Path) -> dict[str, Any]:
    """The sections of a YAML file; raises ConfigError in one line where it has none."""
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no UTF-8 text"
        raise ConfigError(
            f"{path}: cannot be read ({reason}); give a YAML file such as those in configs/"
        ) from error
    except YAML_ERRORS as error:
        raise ConfigError(f"{path}: is not YAML ({' '.join(str(error).split())})") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: holds no sections; start from a file of configs/")
    return values


def _read_chain(path: Path, above: tuple[Path, ...]) -> list[ConfigFile]:
    """A file after its bases."""
    if path.resolve() in [file.resolve() for file in above]:
        way = " -> ".join(file.name for file in (*above, path))
        raise ConfigError(f"{above[-1]}: its base leads back to it ({way}); take one {BASE} out")
    file = _read_file(path)
    bases = [] if file.base is None else _read_chain(file.base, (*above, path))
    return [*bases, file]


def _read_file(path: Path) -> ConfigFile:
    values = read_sections(path)
    base, smoke = (_named_file(path, key, values.pop(key, None)) for key in (BASE, SMOKE))
    return ConfigFile(path, values, base, smoke)


def _named_file(path: Path, key: str, name: Any) -> Path | None:
    if name is None:
        return None
    if not isinstance(name, str):
        raise ConfigError(f"{path}: {key} is {name!r}, it must be one file, relative to this one")
    if not (path.parent / name).is_file():
        raise ConfigError(f"{path}: its {key} {name} is not there; paths of {key} start at this file")
    return path.parent / name


def _merge(values: dict[str, Any], own: dict[str, Any]) -> None:
    """Section by section; one that names its kind stands alone, for another kind has other keys."""
    for key, value in own.items():
        before = values.get(key)
        if isinstance(value, dict) and isinstance(before, dict) and TAG not in value:
            _merge(before, value)
        else:
            values[key] = _copy(value)


def _copy(value: Any) -> Any:
    return {key: _copy(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def _has(values: Any, location: Sequence[str]) -> bool:
    for key in location:
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True


def _of_smoke_run(init: Any) -> Any:
    """Weights that another experiment's run leaves are taken from its smoke run."""
    if not isinstance(init, str) or Path(init).parts[:1] != RUNS_FOLDER.parts:
        return init
    _, name, *rest = Path(init).parts
    return str(RUNS_FOLDER.joinpath(f"smoke_{name}", *rest))
