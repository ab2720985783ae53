"""What every test shares: one torch thread a worker, no network, the development data where it is."""

import os
import signal
from pathlib import Path

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest


@pytest.fixture(autouse=True, scope="session")
def _one_torch_thread():
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def ctrl_c_raises():
    """Where a suite runs in a shell's background, that had it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The development data folder; the test skips where it is absent."""
    default = Path(__file__).parent.parent.parent / "shared" / "data"
    folder = Path(os.environ.get("DEEPFAKE_SSAT_DATA", default))
    if not (folder / "manifest.csv").is_file():
        pytest.skip(f"development data not found at {folder}; set DEEPFAKE_SSAT_DATA")
    return folder
