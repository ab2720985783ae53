"""Cross-dataset: which checkpoints can be judged on which data sets, found out before anything is scored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from deepfake_ssat.config import Selection
from deepfake_ssat.errors import ManifestError
from deepfake_ssat.inference.detector import load_detector
from deepfake_ssat.manifest import load_manifest, select


def require_judgeable(
    checkpoints: Mapping[str, Path], manifests: Mapping[str, Path], selection: Selection, device: str
) -> None:
    """Raises DeepfakeError where a data set has none of the videos, or clips cut otherwise than expected."""
    contracts = {}
    for name, folder in manifests.items():
        manifest = load_manifest(folder)
        contracts[name] = manifest.contract
        try:
            select(manifest.rows, selection)
        except ManifestError as error:
            raise ManifestError(f"data set {name}: {error}") from error
    for checkpoint, file in checkpoints.items():
        ours = load_detector(file, device).contract
        for name, contract in contracts.items():
            ours.require_readable(contract, ours=f"checkpoint {checkpoint}", theirs=f"data set {name}")
