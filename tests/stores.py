"""Object stores in a folder: ``s3://bucket/…`` is ``<folder>/bucket/…``, for worker processes too."""

import os
from pathlib import Path

import pytest

FAKE_PACKAGES = Path(__file__).parent / "fake_stores"
MODIFIED = 1_700_000_000
"""Of every stored file, in seconds: stores tell no fractions."""


@pytest.fixture
def buckets(tmp_path, monkeypatch):
    """The folder of the buckets."""
    pytest.importorskip("fsspec", reason="needs the extra remote")
    folder = tmp_path / "buckets"
    folder.mkdir()
    monkeypatch.setenv("FAKE_BUCKETS", str(folder))
    monkeypatch.syspath_prepend(FAKE_PACKAGES)
    return folder


def dated(folder):
    """The folder, all of its files of one age."""
    for file in folder.rglob("*"):
        os.utime(file, (MODIFIED, MODIFIED))
    return folder


def opened(buckets):
    """What was read, in order."""
    notes = buckets / "opened"
    return notes.read_text().splitlines() if notes.exists() else []
