"""``python -m deepfake_ssat.serving.describe FILE CHECKPOINT DEVICE``: checks weights, tells what they are.

A child does it, so that the service answers before torch is loaded, and never holds it in its own memory.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from deepfake_ssat.config.service import MEGABYTE, ServiceLimits
from deepfake_ssat.errors import CheckpointError, DeepfakeError
from deepfake_ssat.serving.sandbox import ChildLimits, run_child

DESCRIPTION = "model.json"


def describe(folder: Path, checkpoint: Path | None, device: str, limits: ServiceLimits) -> dict[str, Any]:
    """What ``/api/v1/model`` tells of the checkpoint; raises CheckpointError where it cannot judge."""
    file = folder / DESCRIPTION
    outcome = run_child(
        __name__,
        [str(file), str(checkpoint or ""), device],
        ChildLimits(limits.job_seconds, int(limits.job_memory_megabytes * MEGABYTE)),
        folder,
    )
    if outcome.failure is not None:
        raise CheckpointError(outcome.failure)
    return json.loads(file.read_text(encoding="utf-8"))


def main() -> None:
    """Exit code 2 and one line for weights or a device that cannot be used."""
    from deepfake_ssat.inference.description import checkpoint_record
    from deepfake_ssat.inference.detector import load_detector
    from deepfake_ssat.outputs import write_file

    file, checkpoint, device = sys.argv[1:]
    try:
        detector = load_detector(checkpoint or None, device)
        contract = detector.contract.model_dump(mode="json")
        content = json.dumps({**checkpoint_record(detector), "contract": contract})
        write_file(Path(file), content.encode())
    except DeepfakeError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
