"""A passed self-test is made once, and a failed one each time."""

import pytest

from deepfake_ssat.errors import CheckpointError
from deepfake_ssat.inference.detector import load_detector
from deepfake_ssat.models import checkpoint as checkpoints
from deepfake_ssat.models import passed_tests, self_test
from tests.inference.scripted import write_checkpoint


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "deepfake-ssat" / "self-tests"


@pytest.fixture
def tests_made(monkeypatch):
    """One item a self-test that was made."""
    made = []
    test = self_test.self_test

    def counted(model, seed):
        made.append(seed)
        return test(model, seed)

    monkeypatch.setattr(self_test, "self_test", counted)
    return made


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "best.safetensors"
    write_checkpoint(path)
    return path


def test_detector_is_tested_once_for_its_file(file, cache, tests_made):
    tests_made.clear()
    for _ in range(2):
        load_detector(file, "cpu")
    assert len(tests_made) == 1
    assert len(list(cache.iterdir())) == 1


def test_other_loading_tests_each_time(file, cache, tests_made):
    load_detector(file, "cpu")
    tests_made.clear()
    checkpoints.load_checkpoint(file)
    assert len(tests_made) == 1


@pytest.mark.parametrize("change", ["file", "software", "processor"])
def test_pass_holds_for_one_file_software_and_processor(file, cache, tests_made, monkeypatch, change):
    load_detector(file, "cpu")
    tests_made.clear()
    if change == "file":
        stored = checkpoints.load_checkpoint(file)
        stored.metrics["note"] = "The same weights in other bytes."
        checkpoints.save_checkpoint(file, stored)
        tests_made.clear()
    else:
        monkeypatch.setattr(passed_tests, f"_{change}", lambda *_: "another")
    load_detector(file, "cpu")
    assert len(tests_made) == 1


def test_failed_self_test_is_not_remembered(file, cache, monkeypatch):
    monkeypatch.setattr(self_test, "self_test", lambda model, seed: [0.123, 0.877])
    for _ in range(2):
        with pytest.raises(CheckpointError, match="self-test failed"):
            load_detector(file, "cpu")
    assert not cache.exists()


def test_cache_that_cannot_be_written_is_silent(file, tmp_path, tests_made, monkeypatch):
    (tmp_path / "a file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a file"))
    tests_made.clear()
    for _ in range(2):
        load_detector(file, "cpu")
    assert len(tests_made) == 2


def test_user_without_a_home_folder_is_silent(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(passed_tests.Path, "home", no_home)
    passed_tests.remember_pass("0" * 64, "cpu")
    assert not passed_tests.has_passed("0" * 64, "cpu")
