"""evaluate: every clip scored once, whatever happened before; the right videos; refusals in one line."""

import csv
import errno
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock
from sklearn.metrics import roc_auc_score

from deepfake_ssat.commands import evaluate
from deepfake_ssat.config import ExtractionSettings, Selection
from deepfake_ssat.errors import ConfigError, ContractError, ManifestError, OutputError
from deepfake_ssat.evaluation.clip_scores import ClipScoreFile
from deepfake_ssat.evaluation.evaluation import LOCK_FILE
from deepfake_ssat.inference.detector import Detector, load_detector
from deepfake_ssat.manifest import people
from deepfake_ssat.models.checkpoint import Decision
from deepfake_ssat.records import FAKE, DroppedVideo, Status
from tests.inference.scripted import write_checkpoint
from tests.manifests import TinyVideo, make_manifest, tiny_videos
from tests.models.tiny import IMAGE

REPOSITORY = Path(__file__).parents[2]
CONTRACT = ExtractionSettings(frames=16, crop_size=32)
DROPPED = [
    DroppedVideo(
        "tiny", f"Deepfakes/{part}/lost", "x.mp4", split, FAKE, "Deepfakes", Status.NO_FACE, "no face", part
    )
    for part, split in (("c23", "test"), ("c40", "test"), ("c23", "train"))
]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    videos = [
        *tiny_videos(3),
        *(video for video in tiny_videos(2, ["test"], "FaceSwap") if video.label == FAKE),
        TinyVideo("unknown/c23/x", None, tracks=2),
    ]
    return make_manifest(tmp_path_factory.mktemp("manifest"), videos, frames=20, dropped=DROPPED)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(
        tmp_path_factory.mktemp("model") / "best.safetensors",
        contract=CONTRACT,
        decision=Decision(0.6, 0.5, 0.7),
        provenance={"command": "train tiny.yaml", "config": {"seed": 1}, "seen": {"train": [], "val": []}},
    )


def _run(checkpoint, manifest, out, **options):
    assert evaluate.run(checkpoint, manifest.root, out, device="cpu", **options) == 0
    return json.loads((out / "report.json").read_text())


def _lines(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def out(tmp_path_factory, checkpoint, manifest):
    folder = tmp_path_factory.mktemp("out")
    _run(checkpoint, manifest, folder)
    return folder


@pytest.mark.slow
def test_test_videos_are_measured_on_all_their_clips(out, checkpoint):
    report = json.loads((out / "report.json").read_text())
    assert report["counts"] == {
        "videos_scored": 9,
        "videos_unlabelled": 1,
        "videos_dropped": 2,
        # 20 frames hold 5 segments of the model's 4; one of the nine videos has two faces.
        "clips_scored": 50,
    }
    assert [(group["manipulation"], group["num_real"], group["num_fake"]) for group in report["groups"]] == [
        ("", 3, 5),
        ("Deepfakes", 3, 3),
        ("FaceSwap", 3, 2),
    ]
    assert report["checkpoint"]["sha256"] == load_detector(checkpoint, "cpu").checkpoint.hash
    digest = hashlib.sha256(b'{"seed":1}').hexdigest()
    assert report["training"] == {"command": "train tiny.yaml", "config_sha256": digest}
    assert report["threshold"] == {
        "value": 0.6,
        "source": "stored in the checkpoint, chosen on its validation videos",
    }
    assert any("videos without a label: 1" in warning for warning in report["warnings"])


@pytest.mark.slow
def test_all_files_are_there(out):
    assert {path.name for path in out.iterdir() if not path.name.startswith(".")} == {
        "report.json",
        "table.md",
        "videos.csv",
        "clip_scores.csv",
        "roc.png",
        "scores.png",
        "reliability.png",
    }


def test_metrics_follow_from_the_scores_in_the_tables(out):
    clips, videos = _lines(out / "clip_scores.csv"), _lines(out / "videos.csv")
    by_video = {}
    for line in clips:
        tracks = by_video.setdefault(line["video_id"], {})
        tracks.setdefault(line["track_id"], []).append(float(line["probability"]))
    for line in videos:
        if line["status"] == "scored":
            faces = [sum(scores) / len(scores) for scores in by_video[line["video_id"]].values()]
            assert float(line["probability"]) == pytest.approx(max(faces), abs=1e-8)
    labelled = [line for line in videos if line["label"] and line["status"] == "scored"]
    expected = roc_auc_score(
        [int(line["label"]) for line in labelled], [float(line["probability"]) for line in labelled]
    )
    report = json.loads((out / "report.json").read_text())
    assert report["groups"][0]["video"]["auc"]["value"] == pytest.approx(expected)


def test_clip_scores_are_the_detectors(out, checkpoint, manifest):
    from deepfake_ssat.clips.storage import read_frames

    detector = load_detector(checkpoint, "cpu")
    line = _lines(out / "clip_scores.csv")[7]
    first = int(line["first_frame"])
    pixels = read_frames(manifest.root / line["clip_file"], range(first, first + 4))
    assert float(line["probability"]) == pytest.approx(float(detector.score(pixels[None])[0]), abs=2e-3)


def test_keys_of_the_report_are_documented(out):
    report = json.loads((out / "report.json").read_text())
    named = set(re.findall(r"`([a-z_0-9]+)`", (REPOSITORY / "docs/evaluate_report.md").read_text()))
    free = {"contract", "provenance", "metrics", "decision", "video", "dropped"}

    def keys(value):
        if isinstance(value, list):
            return set().union(*map(keys, value)) if value else set()
        if not isinstance(value, dict):
            return set()
        inner = (keys(child) for key, child in value.items() if key not in free)
        return set(value).union(*inner)

    assert keys(report) - named == set()


def test_printed_table_fits_and_names_the_policy(checkpoint, manifest, tmp_path, capsys):
    _run(checkpoint, manifest, tmp_path, clip_rule="max", face_rule="mean")
    text = capsys.readouterr().out
    assert "max over a face's clips, mean over a video's faces" in " ".join(text.split())
    lines = text.splitlines()
    assert max(map(len, lines[: next(n for n, line in enumerate(lines) if "written to" in line)])) <= 100


@pytest.mark.slow
def test_second_run_scores_nothing_again(checkpoint, manifest, tmp_path, capsys, monkeypatch):
    first = _run(checkpoint, manifest, tmp_path)
    monkeypatch.setattr(Detector, "score", lambda *_: pytest.fail("scored again"))
    assert _run(checkpoint, manifest, tmp_path) == first
    assert "50 clips were scored before" in capsys.readouterr().out


@pytest.mark.slow
def test_killed_run_goes_on_to_the_same_result(checkpoint, manifest, out, tmp_path):
    code = f"""
import time
from pathlib import Path
from deepfake_ssat.commands.evaluate import run
from deepfake_ssat.inference.detector import Detector

score = Detector.score
Detector.score = lambda self, pixels: time.sleep(0.1) or score(self, pixels)
run(Path({str(checkpoint)!r}), Path({str(manifest.root)!r}), Path({str(tmp_path)!r}), device="cpu")
"""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.DEVNULL)
    scores = tmp_path / "clip_scores.csv"
    while not scores.is_file() or scores.read_bytes().count(b"\n") < 10:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert 10 <= scores.read_bytes().count(b"\n") < 51
    resumed, undisturbed = _run(checkpoint, manifest, tmp_path), json.loads((out / "report.json").read_text())
    assert resumed["groups"] == undisturbed["groups"]
    assert scores.read_bytes() == (out / "clip_scores.csv").read_bytes()


@pytest.mark.slow
def test_full_disk_ends_in_one_line_and_keeps_scores(checkpoint, manifest, out, tmp_path, monkeypatch):
    write, room = ClipScoreFile._write, 200

    def until_full(self, rows):
        if self._file.tell() > room:
            self._file.write(b"half a li")
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, rows)

    monkeypatch.setattr(ClipScoreFile, "_write", until_full)
    with pytest.raises(OutputError, match=r"half cannot be written \(No space left on device\); make room"):
        _run(checkpoint, manifest, tmp_path / "half")
    monkeypatch.undo()
    _run(checkpoint, manifest, tmp_path / "half")
    assert (tmp_path / "half/clip_scores.csv").read_bytes() == (out / "clip_scores.csv").read_bytes()


def test_folder_of_another_checkpoint_is_refused(checkpoint, manifest, out, tmp_path):
    other = write_checkpoint(
        tmp_path / "other.safetensors", contract=CONTRACT, decision=Decision(0.3, 0.2, 0.4)
    )
    before = (out / "clip_scores.csv").read_bytes()
    with pytest.raises(ConfigError, match="another checkpoint"):
        evaluate.run(other, manifest.root, out, device="cpu")
    assert (out / "clip_scores.csv").read_bytes() == before


def test_two_runs_do_not_share_a_folder(checkpoint, manifest, tmp_path):
    with FileLock(tmp_path / LOCK_FILE), pytest.raises(ConfigError, match="another evaluate writes"):
        evaluate.run(checkpoint, manifest.root, tmp_path, device="cpu")


def test_output_that_is_a_file_or_the_manifest_is_refused(checkpoint, manifest, tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="is a file; give a folder"):
        evaluate.run(checkpoint, manifest.root, tmp_path / "out", device="cpu")
    (tmp_path / "link").symlink_to(manifest.root)
    with pytest.raises(OutputError, match="is the input"):
        evaluate.run(checkpoint, manifest.root, tmp_path / "link", device="cpu")


def test_clips_cut_otherwise_are_refused_with_the_field(manifest, tmp_path):
    contract = CONTRACT.model_copy(update={"margin": 0.5})
    other = write_checkpoint(tmp_path / "other.safetensors", contract=contract)
    with pytest.raises(ContractError, match=r"margin is 0\.5 in checkpoint .* and 0\.3 in manifest"):
        evaluate.run(other, manifest.root, tmp_path / "out", device="cpu")


def test_selection_without_videos_names_what_there_is(checkpoint, manifest, tmp_path):
    with pytest.raises(ManifestError, match="Deepfakes, FaceSwap"):
        evaluate.run(
            checkpoint,
            manifest.root,
            tmp_path,
            Selection(splits=("test",), compressions=("c0",)),
            device="cpu",
        )


def test_manipulations_filter_fakes_and_dropped_videos(checkpoint, manifest, tmp_path):
    report = _run(
        checkpoint,
        manifest,
        tmp_path,
        selection=Selection(splits=("test",), manipulations=("FaceSwap",), compressions=("c23",)),
    )
    assert (report["groups"][0]["num_real"], report["groups"][0]["num_fake"]) == (3, 2)
    assert report["dropped"] == []


def test_dropped_videos_of_the_selection_are_reported(checkpoint, manifest, tmp_path):
    selection = Selection(splits=("test",), compressions=("c23",))
    report = _run(checkpoint, manifest, tmp_path, selection=selection)
    assert [video["video_id"] for video in report["dropped"]] == ["Deepfakes/c23/lost"]
    assert report["dropped"][0]["reason"] == "no_face"


def test_threshold_comes_from_validation_videos_where_the_checkpoint_has_none(manifest, tmp_path):
    plain = write_checkpoint(tmp_path / "plain.safetensors", contract=CONTRACT)
    report = _run(plain, manifest, tmp_path / "out")
    assert (
        report["threshold"]["source"]
        == "the best balanced accuracy on the 6 validation videos of this manifest"
    )
    assert report["counts"]["videos_scored"] == 9
    scores = {line["video_id"] for line in _lines(tmp_path / "out/clip_scores.csv")}
    assert len(scores) == 9 + 6
    assert not any("too good" in warning for warning in report["warnings"])


def test_threshold_chosen_on_the_evaluated_videos_is_warned_about(manifest, tmp_path):
    plain = write_checkpoint(tmp_path / "plain.safetensors", contract=CONTRACT)
    report = _run(plain, manifest, tmp_path / "out", selection=Selection(splits=("val",)))
    assert any("chosen on 6 of the evaluated videos" in warning for warning in report["warnings"])


def test_manifest_without_validation_videos_gives_no_threshold(tmp_path):
    manifest = make_manifest(tmp_path / "m", tiny_videos(1, ["test"]), frames=16)
    plain = write_checkpoint(tmp_path / "plain.safetensors", contract=CONTRACT)
    report = _run(plain, manifest, tmp_path / "out")
    assert report["threshold"]["value"] is None
    assert "no validation videos" in report["threshold"]["source"]
    assert report["groups"][0]["video"]["accuracy_at_threshold"]["value"] is None


@pytest.mark.slow
def test_people_seen_in_training_are_warned_about(manifest, tmp_path):
    seen = {"train": people(row for row in manifest.rows if row.video_id == "original/c23/test1"), "val": []}
    trained = write_checkpoint(tmp_path / "a.safetensors", contract=CONTRACT, provenance={"seen": seen})
    warnings = _run(trained, manifest, tmp_path / "out")["warnings"]
    assert any("1 of 9 videos" in text and "tiny/original/c23/test1" in text for text in warnings)


def test_checkpoint_that_does_not_say_whom_it_saw_is_warned_about(manifest, tmp_path):
    silent = write_checkpoint(tmp_path / "a.safetensors", contract=CONTRACT)
    warnings = _run(silent, manifest, tmp_path / "out")["warnings"]
    assert any("does not say whom it was trained on" in text for text in warnings)


@pytest.mark.slow
def test_only_unlabelled_videos_are_scored_without_metrics(checkpoint, tmp_path):
    manifest = make_manifest(tmp_path / "m", [TinyVideo("x", None), TinyVideo("y", None)], frames=16)
    report = _run(checkpoint, manifest, tmp_path / "out")
    assert report["counts"]["videos_unlabelled"] == 2
    assert report["groups"][0]["video"]["auc"]["value"] is None
    assert all(line["probability"] for line in _lines(tmp_path / "out/videos.csv"))
    assert not (tmp_path / "out/roc.png").exists()


@pytest.mark.slow
def test_model_of_single_images_is_measured_by_frame(manifest, tmp_path):
    images = write_checkpoint(tmp_path / "image.safetensors", IMAGE, CONTRACT, Decision(0.6, 0.5, 0.7))
    report = _run(images, manifest, tmp_path / "out")
    assert report["scoring"]["unit"] == "frame"
    assert "up to 32 single frames" in report["scoring"]["rule"]
    # All 20 stored frames of each face.
    assert report["counts"]["clips_scored"] == 10 * 20
    assert report["groups"][0]["frame"]["auc"]["value"] is not None
    assert "clip" not in report["groups"][0]
    assert "frame AUC" in (tmp_path / "out/table.md").read_text()
