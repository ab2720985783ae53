"""The verbs on a Ray cluster of two machines, both of which are this one: the same output as on one.

Each test says what a worker of the cluster suffers meanwhile.
"""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from deepfake_ssat.commands import detect, evaluate, preprocess
from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.corpora import CorpusOptions
from deepfake_ssat.errors import VideoError
from deepfake_ssat.evaluation.perturbing import PerturbOptions
from deepfake_ssat.manifest import load_manifest
from deepfake_ssat.pool import open_engine
from deepfake_ssat.pool.ray_cluster import ENVIRONMENT
from tests.commands.fixed_faces import SETTINGS, PrepareFixed
from tests.commands.preprocess_runs import file_hashes, make_video, run_folder
from tests.commands.scripted_judging import ScriptedJudging
from tests.commands.test_detect_many import judged_count, make_folder
from tests.inference.scripted import write_checkpoint
from tests.manifests import make_manifest, tiny_videos
from tests.pool import tasks

pytestmark = pytest.mark.slow
MACHINE = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}


@pytest.fixture(scope="module")
def cluster():
    with pytest.MonkeyPatch.context() as environment:
        for name, value in ENVIRONMENT.items():
            environment.setenv(name, value)
        # Only now: Ray reads them when it is imported.
        pytest.importorskip("ray", reason="needs ray: the extra deepfake-ssat[ray]")
        from ray.cluster_utils import Cluster

        cluster = Cluster(initialize_head=True, head_node_args=MACHINE)
        cluster.add_node(**MACHINE)
        yield cluster
        cluster.shutdown()


@pytest.fixture
def address(cluster):
    return cluster.address


def on_cluster(corpus, out, address):
    return preprocess.run("folder", corpus, out, SETTINGS, CorpusOptions(), ray=address)


def test_task_whose_worker_dies_is_tried_three_times_and_costs_no_other(address):
    words = ["a", "die", "b", "bug", "c"]
    with open_engine(ray=address) as engine:
        outcomes = {outcome.task: outcome for outcome in engine(tasks.prepare_hazards, words)}
        with pytest.raises(VideoError, match="disk is full"):
            list(engine(tasks.prepare_hazards, ["a", "refuse", "b"]))
    assert [outcomes[n].value for n in (0, 2, 4)] == ["a", "b", "c"]
    assert outcomes[1].failure == "its worker died 3 times (WorkerCrashedError)"
    assert outcomes[3].failure == "KeyError: 'x'"


def test_work_of_a_machine_that_dies_goes_on_at_the_others(cluster, tmp_path):
    lost = cluster.add_node(**MACHINE)
    files = [tmp_path / f"{number:02d}" for number in range(12)]
    with open_engine(ray=cluster.address) as engine, ThreadPoolExecutor(1) as thread:
        outcomes = thread.submit(lambda: list(engine(tasks.prepare_noting, files)))
        while not (workers := [worker for machine, worker in begun(files) if machine == lost.node_id]):
            time.sleep(0.1)
        cluster.remove_node(lost, allow_graceful=False)
        # They would notice that their machine is gone, and until then work on.
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(int(worker), signal.SIGKILL)
        (tmp_path / "go").touch()
        assert sorted(outcome.value for outcome in outcomes.result()) == [file.name for file in files]
    assert [machine for machine, _ in begun(files)].count(lost.node_id) == 1
    assert len(begun(files)) == len(files) + 1


def begun(files):
    """By each time that a task was begun, the machine and the worker process."""
    return [line.split() for file in files if file.exists() for line in file.read_text().splitlines()]


def test_preprocess_loses_and_doubles_nothing_when_a_worker_is_killed(address, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("deepfake_ssat.extraction.preprocess.PrepareExtraction", PrepareFixed)
    corpus, out = tmp_path / "corpus", tmp_path / "out"
    for name in ("train/real/a", "train/real/once", "train/fake/b", "val/real/c", "val/fake/d"):
        make_video(corpus / f"{name}.mp4")
    (corpus / "val/real/text.mp4").write_text("no video")
    assert on_cluster(corpus, out, address) == 0
    assert (tmp_path / "died").exists()
    assert "raylet" not in "".join(capfd.readouterr())
    run_folder(corpus, tmp_path / "local")
    assert file_hashes(out) == file_hashes(tmp_path / "local")
    assert len(load_manifest(out).rows) == 10


def test_preprocess_goes_on_where_a_run_on_one_machine_was(address, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("deepfake_ssat.extraction.preprocess.PrepareExtraction", PrepareFixed)
    corpus, out = tmp_path / "corpus", tmp_path / "out"
    make_video(corpus / "train/real/a.mp4")
    run_folder(corpus, out)
    make_video(corpus / "train/fake/b.mp4")
    assert on_cluster(corpus, out, address) == 0
    assert "videos       2 (1 done before)" in capsys.readouterr().out


def test_detect_writes_the_same_document_and_names_the_video_that_kills(address, tmp_path, monkeypatch):
    monkeypatch.setattr(detect, "Judging", ScriptedJudging)
    checkpoint = write_checkpoint(tmp_path / "tiny.safetensors")
    folder = make_folder(tmp_path / "videos", ["0.1", "kill", "0.9", "0.2"])
    documents = []
    for name, place in {"cluster": {"ray": address}, "local": {"workers": 2}}.items():
        out = tmp_path / f"{name}.json"
        assert detect.run([folder], checkpoint, out, jsonl_file=tmp_path / f"{name}.jsonl", **place) == 3
        documents.append(json.loads(out.read_text()))
    on_ray, here = (document.pop("videos") for document in documents)
    assert documents[0] == documents[1]
    told = "could not be judged: its worker died 3 times (WorkerCrashedError); --resume tries it again"
    assert on_ray[1].pop("warnings") == [told]
    here[1].pop("warnings")
    assert on_ray == here
    assert judged_count(folder, "01") == 3 + 1


def test_evaluate_writes_the_same_scores_and_report(address, tmp_path):
    manifest = make_manifest(tmp_path / "manifest", tiny_videos(5, ["test"]), frames=20)
    checkpoint = write_checkpoint(
        tmp_path / "best.safetensors", contract=ExtractionSettings(frames=16, crop_size=32)
    )
    perturbing = PerturbOptions(("blur",))
    for name, place in {"cluster": {"ray": address}, "local": {}}.items():
        out = tmp_path / name
        options = {"device": "cpu", "batch": 2, "threads": 1, "perturbing": perturbing}
        assert evaluate.run(checkpoint, manifest.root, out, **options, **place) == 0
    assert file_hashes(tmp_path / "cluster") == file_hashes(tmp_path / "local")
