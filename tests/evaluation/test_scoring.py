"""Clips scored by workers have the scores of one process, in the same order."""

import pickle
from dataclasses import replace

import pytest

from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.errors import ManifestError
from deepfake_ssat.evaluation.clip_scores import CLIP_SCORES_FILE
from deepfake_ssat.evaluation.evaluation import open_evaluation
from deepfake_ssat.pool import Outcome
from tests.inference.scripted import write_checkpoint
from tests.manifests import make_manifest, tiny_videos


def workers(prepare, tasks):
    """In this process, the last first; all that goes to a worker is pickled."""
    work = pickle.loads(pickle.dumps(prepare))()
    for number in reversed(range(len(tasks))):
        yield Outcome(number, work(pickle.loads(pickle.dumps(tasks[number]))))


def dying(_, tasks):
    return (Outcome(number, failure="its worker died 3 times") for number in range(len(tasks)))


@pytest.mark.slow
def test_workers_give_the_scores_of_one_process(tmp_path):
    manifest = make_manifest(tmp_path / "manifest", tiny_videos(3, ["test"]), frames=20)
    contract = ExtractionSettings(frames=16, crop_size=32)
    checkpoint = write_checkpoint(tmp_path / "best.safetensors", contract=contract)
    with open_evaluation(checkpoint, manifest.root, tmp_path / "here", device="cpu", batch=1) as here:
        here.score(manifest.rows)
        elsewhere = replace(here, folder=tmp_path / "elsewhere", cluster=workers)
        elsewhere.score(manifest.rows)
        with pytest.raises(ManifestError, match="its worker died 3 times; the same command goes on"):
            replace(here, folder=tmp_path / "dying", cluster=dying).score(manifest.rows)
    scores = (tmp_path / "here" / CLIP_SCORES_FILE).read_bytes()
    assert scores.count(b"\n") == 1 + 6 * 5
    assert (tmp_path / "elsewhere" / CLIP_SCORES_FILE).read_bytes() == scores
