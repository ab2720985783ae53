"""Fills the HTML templates of this package, and what pages have in common: paths, dates, pictures."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from deepfake_ssat.reporting.filmstrips import jpeg, png
from deepfake_ssat.reporting.verdict_words import probability_text
from deepfake_ssat.version import __version__


def filled_template(template: str, /, **values: Any) -> bytes:
    """A page of this package: everything escaped, unknown names refused.

    UTF-8; the bytes of a file name that are not become escapes, such as ``caf\\udce9.mp4``.
    """
    environment = Environment(
        loader=PackageLoader("deepfake_ssat.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["probability"] = probability_text
    environment.filters["seconds"] = lambda seconds: f"{seconds:.2f}"
    page = environment.get_template(template).render(version=__version__, **values)
    return page.encode("utf-8", "backslashreplace")


def date_text(iso: str) -> str:
    """``2026-11-26 17:30:05 UTC`` of an ISO 8601 date in UTC."""
    return iso.replace("T", " ").replace("+00:00", " UTC")


def shown_path(path: str) -> str:
    """A path as it was given, unless it tells of the machine: then its name."""
    return Path(path).name if os.path.isabs(path) else path


def jpeg_address(pixels: np.ndarray) -> str:
    """A picture as it stands in a page, a little compressed."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(pixels)).decode()


def png_address(pixels: np.ndarray) -> str:
    """A picture as it stands in a page, to the pixel."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()
