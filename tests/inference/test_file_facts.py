"""What identifies a judged file."""

import os
from types import SimpleNamespace

import pytest

from deepfake_ssat.inference.file_facts import file_facts


@pytest.mark.parametrize("seconds", [10**12, -(10**12), 253402300800])
def test_date_that_is_in_no_calendar_is_told_as_none(tmp_path, monkeypatch, seconds):
    file = tmp_path / "a.mp4"
    file.write_bytes(b"1")
    assert file_facts(str(file)).modified is not None
    # Not every file system holds such a date.
    facts = SimpleNamespace(st_size=1, st_mtime=seconds, st_mode=os.stat(file).st_mode)
    monkeypatch.setattr(os, "stat", lambda *_, **__: facts)
    monkeypatch.setattr("deepfake_ssat.inference.file_facts.file_hash", lambda _: "abc")
    found = file_facts(str(file))
    assert (found.size_bytes, found.modified) == (1, None)
