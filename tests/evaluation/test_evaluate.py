"""evaluate from Python; a threshold holds only for the rules that it was chosen under."""

from dataclasses import replace

import pytest

from deepfake_ssat import Verdict, evaluate
from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.models.checkpoint import load_checkpoint, save_checkpoint
from deepfake_ssat.models.decision import AggregationPolicy, Calibration, Decision, ErrorLimit
from tests.inference.scripted import write_checkpoint
from tests.manifests import TinyVideo, make_manifest, tiny_videos

CONTRACT = ExtractionSettings(frames=16, crop_size=32)
SEEN = {"seen": {"train": [], "val": []}}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    videos = tiny_videos(2, ["val", "test"])
    videos[-1] = replace(videos[-1], tracks=2)
    return make_manifest(tmp_path_factory.mktemp("manifest"), videos, frames=16)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(
        tmp_path_factory.mktemp("model") / "best.safetensors",
        contract=CONTRACT,
        decision=Decision(0.6, 0.5, 0.7),
        provenance=SEEN,
    )


@pytest.mark.slow
def test_report_has_verdicts_and_nothing_is_written_or_printed(
    checkpoint, manifest, capfd, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    report = evaluate(checkpoint, manifest.root, device="cpu")
    assert len(report.videos) == 4
    decision = load_checkpoint(checkpoint).decision
    for video in report.videos:
        assert video.verdict.verdict is decision.verdict(video.probability)
        assert video.verdict.path == f"{video.video_id}.mp4"
        assert all(face.box == (10, 10, 90, 90) and face.num_clips == 4 for face in video.verdict.faces)
    assert [len(video.verdict.faces) for video in report.videos] == [1, 1, 1, 2]
    assert report.threshold == 0.6
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())


def test_same_folder_again_scores_nothing_twice(checkpoint, manifest, tmp_path):
    first = evaluate(checkpoint, manifest.root, tmp_path, device="cpu")
    again = evaluate(checkpoint, manifest.root, tmp_path, device="cpu")
    assert (first.reused, again.reused) == (0, 20)
    assert replace(again, reused=0) == first


@pytest.mark.slow
def test_threshold_of_other_rules_is_chosen_anew(checkpoint, manifest):
    own = evaluate(checkpoint, manifest.root, device="cpu", clip_rule="mean", face_rule="large")
    assert own.threshold_source == "stored in the checkpoint, chosen on its validation videos"
    other = evaluate(checkpoint, manifest.root, device="cpu", clip_rule="max")
    assert other.threshold != own.threshold
    assert other.threshold_source == (
        "the best balanced accuracy on the 4 validation videos of this manifest; the checkpoint's is for "
        "scores put together as mean over a face's clips, max over a video's faces of 80 px and more"
    )
    aggregation = other.provenance["scoring"]["aggregation"]
    assert aggregation == "max over a face's clips, max over a video's faces of 80 px and more"
    assert {video.verdict.verdict for video in other.videos} == {None}
    assert all(video.probability == max(clip.probability for clip in video.clips) for video in other.videos)


def test_without_validation_videos_other_rules_have_no_threshold(checkpoint, tmp_path):
    manifest = make_manifest(tmp_path, [TinyVideo("a", 0), TinyVideo("b", 1)], frames=16)
    report = evaluate(checkpoint, manifest.root, device="cpu", face_rule="mean")
    assert report.threshold is None
    assert report.threshold_source.startswith("the checkpoint's is for scores put together as mean over")
    assert report.threshold_source.endswith("and this manifest has no validation videos")


def test_checkpoints_own_rules_are_the_default(checkpoint, manifest, tmp_path):
    policy = AggregationPolicy("median", "mean")
    loaded = load_checkpoint(checkpoint)
    path = tmp_path / "median.safetensors"
    save_checkpoint(path, replace(loaded, decision=replace(loaded.decision, aggregation=policy)))
    report = evaluate(path, manifest.root, device="cpu")
    assert report.threshold == 0.6
    assert report.provenance["scoring"]["aggregation"] == policy.in_words()
    assert {video.verdict.verdict for video in report.videos} <= set(Verdict)
    two_faces = report.videos[-1].verdict
    assert two_faces.probability == pytest.approx(
        sum(face.probability for face in two_faces.faces) / 2, abs=1e-12
    )
    assert "the video's probability is the mean over them" in two_faces.warnings[0]


@pytest.mark.slow
def test_calibrated_probabilities_under_other_rules_are_warned_about(checkpoint, manifest, tmp_path):
    limit = ErrorLimit(0, 10, 0.05, 0.26)
    calibration = Calibration("platt", limit, limit, ("ab" * 32,), ("val",), "cd" * 32)
    loaded = load_checkpoint(checkpoint)
    path = tmp_path / "calibrated.safetensors"
    save_checkpoint(path, replace(loaded, decision=replace(loaded.decision, calibration=calibration)))
    assert not evaluate(path, manifest.root, device="cpu").warnings
    (warning,) = evaluate(path, manifest.root, device="cpu", face_rule="mean").warnings
    assert "calibrated for scores put together as mean over a face's clips, max over" in warning


def test_unknown_rule_is_refused_with_the_known_ones(checkpoint, manifest):
    with pytest.raises(ConfigError, match="clips policy 'sum' is not known: use mean, median, max"):
        evaluate(checkpoint, manifest.root, device="cpu", clip_rule="sum")
