"""What reports for programs have in common: schema, program, JSON; and how a report's files are written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepfake_ssat.outputs import write_file
from deepfake_ssat.version import __version__

Files = dict[str, bytes | None]
"""By name, in the order of writing; None where this report has nothing to draw or tell there."""


def document(schema_version: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values, after the version of their schema and of the program.

    The schema's version is raised in its second part when keys are added, in its first when one changes or
    goes.
    """
    program = {"name": "deepfake-ssat", "version": __version__}
    return {"schema_version": schema_version, "program": program, **content}


def json_text(values: Mapping[str, Any]) -> bytes:
    """Indented ASCII, so that a file name that is not UTF-8 survives as an escape; NaN is refused."""
    return (json.dumps(values, indent=2, allow_nan=False) + "\n").encode()


def write_files(folder: Path, files: Files) -> list[str]:
    """Writes each file whole, in order, and returns their names; None removes that of an earlier report.

    A report's JSON comes last: where it is, the other files are there too.
    """
    for name, data in files.items():
        if data is None:
            (folder / name).unlink(missing_ok=True)
        else:
            write_file(folder / name, data)
    return [name for name, data in files.items() if data is not None]


def identity(kind: str, facts: Mapping[str, Any]) -> str:
    """A note that names a file by its path and the beginning of its hash."""
    return f"{kind}: {facts['path']}, sha256 {facts['sha256'][:16]}"
