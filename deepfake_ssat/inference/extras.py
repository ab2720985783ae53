"""Packages of optional parts: what to install where they are absent; imported so that they report nothing."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from typing import Any

from deepfake_ssat.errors import ConfigError, install


def require_packages(purpose: str, extra: str, names: Sequence[str]) -> None:
    """Raises ConfigError naming the packages that ``purpose`` lacks and how to install them."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"{purpose} needs {' and '.join(missing)}: {install(extra)}")


def import_onnxruntime() -> Any:
    """ONNX Runtime; from 1.29 on it tells a server about models and machine unless this variable is set."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime


def import_openvino() -> Any:
    """OpenVINO; importing it tells a server so, unless its reporter cannot be imported."""
    sys.modules.setdefault("openvino_telemetry", None)  # pyright: ignore[reportArgumentType]
    import openvino

    return openvino
