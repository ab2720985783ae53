"""The quick part of tools/fault_lab.py: every mutation once, through detect and preprocess."""

from collections import Counter

import fault_lab
import pytest

from deepfake_ssat.commands.detection_reports import ReportOptions
from deepfake_ssat.commands.judging import Judging
from deepfake_ssat.records import Status, Verdict, VideoVerdict
from tests.inference.scripted import write_checkpoint


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    made, _ = fault_lab.make_seeds(tmp_path_factory.mktemp("seeds"))
    return made


@pytest.mark.slow
def test_same_number_makes_the_same_file_and_no_mutation_leaves_it_as_it_was(seeds, tmp_path):
    cases = fault_lab.make_cases(seeds, 0, len(seeds) * len(fault_lab.MUTATIONS))
    assert Counter(case.mutation for case in cases) == dict.fromkeys(fault_lab.MUTATIONS, len(seeds))
    for case in cases[:: len(seeds) + 1]:
        first = case.write(tmp_path / "a").read_bytes()
        assert first == case.write(tmp_path / "b").read_bytes() != case.seed.read_bytes()


def test_faults_are_told_from_survivals():
    scored = VideoVerdict("a.mp4", Status.SCORED, 0.5, Verdict.UNCERTAIN)
    unreadable = VideoVerdict("a.mp4", Status.UNREADABLE, warnings=("internal error, please report it",))
    looked = [(scored, 9, 10.0), (unreadable, 0, 10.0), (VideoVerdict("a.mp4", Status.NO_FACE), 0, 1e5)]
    found = [fault_lab.faults_of(fault_lab.Looked(*values)) for values in looked]
    assert found[0] == "score without a face"
    assert found[1].startswith("internal error")
    assert found[2] == "100000 MB"
    assert fault_lab.faults_of(fault_lab.Looked(VideoVerdict("a.mp4", Status.NO_FACE), 0, 10.0)) == ""


@pytest.mark.slow
def test_mutated_videos_do_no_harm(seeds, tmp_path):
    checkpoint = write_checkpoint(tmp_path / "tiny.safetensors")
    cases = fault_lab.make_cases(seeds, 0, len(seeds) * len(fault_lab.MUTATIONS))[:: len(seeds) - 1]
    judging = Judging(ReportOptions(None), checkpoint, device="cpu", threads=1)
    done = list(fault_lab.through_detect(cases, tmp_path / "detect", judging, workers=1))
    assert [judged.fault for judged in done if judged.fault] == []
    assert len(done) == len(cases)
    _, faults = fault_lab.through_preprocess(cases[:4], tmp_path / "preprocess", workers=1)
    assert faults == []
