"""Reads an array out of a MATLAB file, as SVHN and Flowers102 come."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import loadmat

from deepfake_ssat.errors import ConfigError, CorpusError


def read_matlab(path: Path, *names: str, source: str) -> list[np.ndarray]:
    """The arrays of these names; ``source`` says where the file comes from.

    Raises ConfigError where it is missing, CorpusError where it is damaged or another file.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; {source}")
    try:
        values = loadmat(path, variable_names=names)
        return [values[name] for name in names]
    except Exception as error:  # A damaged file raises almost any exception.
        raise CorpusError(f"{path}: has no {' and '.join(names)} ({error}); {source}") from error
