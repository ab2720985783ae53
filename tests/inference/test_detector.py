"""The detector: scores are the model's, verdicts follow from them, and absence is a result."""

import subprocess
import sys
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from deepfake_ssat import load_detector
from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.errors import CheckpointError, ConfigError, MissingFileError
from deepfake_ssat.faces import extract
from deepfake_ssat.inference import default_weights
from deepfake_ssat.inference.detector import BATCH_CLIPS
from deepfake_ssat.inference.device import resolve_device
from deepfake_ssat.models.decision import AggregationPolicy, Decision
from deepfake_ssat.records import Status, Verdict
from tests.inference.scripted import CONTRACT, ScriptedExtractor, face_clip, write_checkpoint
from tests.models.tiny import IMAGE, VIDEO, changed
from tests.portraits import portrait_frames
from tests.videos import write_video


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "video.mp4", [np.zeros((64, 64, 3), np.uint8)] * 8)


def make_detector(tmp_path, monkeypatch, script, **options):
    monkeypatch.setattr(extract, "FaceExtractor", script)
    return load_detector(write_checkpoint(tmp_path / "tiny.safetensors", **options), "cpu")


def reference_probabilities(detector, pixels):
    """Normalised by hand, in fp32: softmax(logits / temperature) of the fake class."""
    settings = detector.checkpoint.settings
    values = (pixels / 255.0 - np.array(settings.mean)) / np.array(settings.std)
    clips = torch.from_numpy(values).float().permute(0, 4, 1, 2, 3)
    with torch.no_grad():
        logits = detector.checkpoint.model.classify(clips).numpy() / detector.checkpoint.decision.temperature
    return np.exp(logits[:, 1]) / np.exp(logits).sum(axis=1)


def test_scores_are_calibrated_softmax_of_models_logits(tmp_path, monkeypatch):
    detector = make_detector(tmp_path, monkeypatch, ScriptedExtractor(), decision=Decision(temperature=2.5))
    # Darker and darker: apart from each other whatever random weights this torch draws.
    pixels = np.stack([face_clip(0, start).pixels // (1 + 2 * start) for start in range(3)])
    expected = reference_probabilities(detector, pixels)
    detector.scorer.precision = "fp32"
    np.testing.assert_allclose(detector.score(pixels), expected, atol=1e-5)
    detector.scorer.precision = "bf16"
    np.testing.assert_allclose(detector.score(torch.from_numpy(pixels)), expected, atol=0.05)
    assert np.ptp(expected) > 0.1


def test_video_probability_is_highest_face_mean(tmp_path, monkeypatch, video):
    script = ScriptedExtractor([face_clip(track, start) for start in (0, 4, 8) for track in (1, 0)])
    verdict = make_detector(tmp_path, monkeypatch, script).detect(video, clips=3)
    by_track = {
        track: np.mean([clip.probability for clip in verdict.clips if clip.track_id == track])
        for track in (0, 1)
    }
    assert verdict.status is Status.SCORED
    assert verdict.probability == pytest.approx(max(by_track.values()))
    assert {face.track_id: face.probability for face in verdict.faces} == pytest.approx(by_track)
    assert [face.track_id for face in verdict.faces] == [0, 1]
    assert [face.num_clips for face in verdict.faces] == [3, 3]
    assert [clip.start_seconds for clip in verdict.clips] == pytest.approx([0, 0, 0.16, 0.16, 0.32, 0.32])
    assert verdict.faces[0].end_seconds == pytest.approx(11 / 25)
    assert verdict.faces[0].box == pytest.approx((10, 20, 130, 140))
    assert verdict.path == str(video)
    assert verdict.metadata is not None
    assert (verdict.metadata.width, verdict.metadata.height) == (64, 64)
    assert script.asked == [3]
    assert script.settings == CONTRACT


def test_tracks_that_do_not_count_as_faces_are_not_judged(tmp_path, monkeypatch, video):
    clips = [face_clip(track, start) for start in (0, 4, 8) for track in (0, 1)]
    both = make_detector(tmp_path, monkeypatch, ScriptedExtractor(clips)).detect(video)
    highest = max(both.faces, key=lambda face: face.probability).track_id
    script = ScriptedExtractor(clips, doubtful=[highest])
    detector = make_detector(tmp_path, monkeypatch, script)
    verdict = detector.detect(video)
    assert [face.track_id for face in verdict.faces] == [1 - highest]
    assert {clip.track_id for clip in verdict.clips} == {1 - highest}
    assert verdict.probability < both.probability
    explanation = detector.explain(video, num_clips=2)
    assert {explained.score.track_id for explained in explanation.clips} == {1 - highest}
    assert len(explanation.clips) == 2
    assert set(explanation.thumbnails) == {1 - highest}
    assert {mark.track_id for marks in explanation.marks.values() for mark in marks} == {1 - highest}


def test_verdict_follows_checkpoints_band(tmp_path, monkeypatch, video):
    script = ScriptedExtractor([face_clip(0, 0)])
    found = set()
    for name, low, threshold, high in (("real", 1, 1, 1), ("uncertain", 0, 0.5, 1), ("fake", 0, 0, 0)):
        decision = Decision(threshold=threshold, uncertain_low=low, uncertain_high=high)
        verdict = make_detector(tmp_path, monkeypatch, script, decision=decision).detect(video)
        assert verdict.verdict is Verdict(name)
        found.add(verdict.probability)
    assert len(found) == 1


@pytest.mark.parametrize("status", [Status.NO_FACE, Status.TOO_SHORT])
def test_video_without_clips_is_not_scored(tmp_path, monkeypatch, video, status):
    script = ScriptedExtractor([], status, "nobody there", ["one frame was damaged"])
    verdict = make_detector(tmp_path, monkeypatch, script).detect(video)
    assert (verdict.status, verdict.probability, verdict.verdict) == (status, None, None)
    assert verdict.warnings == ("nobody there", "one frame was damaged")
    assert verdict.metadata is not None


@pytest.mark.parametrize("content", [b"", b"this is no video"])
def test_unreadable_file_is_not_scored(tmp_path, monkeypatch, content):
    path = tmp_path / "odd.mp4"
    path.write_bytes(content)
    verdict = make_detector(tmp_path, monkeypatch, ScriptedExtractor()).detect(path)
    assert (verdict.status, verdict.probability, verdict.verdict) == (Status.UNREADABLE, None, None)
    assert len(verdict.warnings) == 1
    assert str(path) in verdict.warnings[0]


def test_doubtful_scores_carry_warnings(tmp_path, monkeypatch, video):
    script = ScriptedExtractor(
        [face_clip(0, 0), face_clip(0, 4), face_clip(7, 0, side=50)], warnings=["w", "w"]
    )
    decision = Decision(aggregation=AggregationPolicy(faces="max"))
    warnings = make_detector(tmp_path, monkeypatch, script, decision=decision).detect(video).warnings
    assert warnings == (
        "w",
        "2 faces were judged; the video's probability is the highest of them, that of face 7",
        "face 7 is small (50 px): its score is less certain",
        "face 7 was judged on 1 clip only",
    )


def test_clips_are_let_go_after_their_batch(tmp_path, monkeypatch, video):
    alive: list[weakref.ref] = []
    most = 0

    def stream():
        nonlocal most
        for start in range(0, 160, 4):
            clip = face_clip(0, start)
            alive.append(weakref.ref(clip))
            most = max(most, sum(reference() is not None for reference in alive))
            yield clip
            del clip

    verdict = make_detector(tmp_path, monkeypatch, ScriptedExtractor(stream())).detect(video, clips=None)
    assert len(verdict.clips) == 40
    assert most <= 2 * BATCH_CLIPS["cpu"] + 1


def test_on_clip_sees_every_clip_with_its_score(tmp_path, monkeypatch, video):
    seen = []
    script = ScriptedExtractor([face_clip(0, start) for start in range(0, 24, 4)])
    detector = make_detector(tmp_path, monkeypatch, script)
    verdict = detector.detect(video, on_clip=lambda clip, score: seen.append((clip.frame_indices[0], score)))
    assert [index for index, _ in seen] == list(range(0, 24, 4))
    assert tuple(score for _, score in seen) == verdict.clips


def test_image_model_scores_every_frame_of_a_clip(tmp_path, monkeypatch, video):
    clip = face_clip(0, 0)
    detector = make_detector(tmp_path, monkeypatch, ScriptedExtractor([clip]), settings=IMAGE)
    detector.scorer.precision = "fp32"
    expected = reference_probabilities(detector, clip.pixels[:, None]).mean()
    assert detector.detect(video).probability == pytest.approx(expected, abs=1e-5)


def test_crops_are_resized_to_the_models_size(tmp_path, monkeypatch, video):
    contract = ExtractionSettings(frames=VIDEO.frames, crop_size=64)
    small = face_clip(0, 0)
    doubled = type(small)(
        small.pixels.repeat(2, axis=1).repeat(2, axis=2),
        small.frame_indices,
        small.seconds,
        0,
        small.boxes,
        small.landmarks,
    )
    probabilities = [
        make_detector(tmp_path, monkeypatch, ScriptedExtractor([clip]), contract=wanted)
        .detect(video)
        .probability
        for clip, wanted in ((small, CONTRACT), (doubled, contract))
    ]
    # Averaging the areas of doubled pixels gives the pixels back.
    assert probabilities[0] == pytest.approx(probabilities[1], abs=1e-6)


def test_model_of_images_is_refused(tmp_path):
    path = write_checkpoint(tmp_path / "images.safetensors", contract=None)
    with pytest.raises(CheckpointError, match="not on face clips"):
        load_detector(path, "cpu")


def test_model_of_longer_clips_than_its_contract_is_refused(tmp_path):
    path = write_checkpoint(tmp_path / "m.safetensors", settings=changed(VIDEO, frames=8))
    with pytest.raises(CheckpointError, match="clips have 4 frames, its model reads 8"):
        load_detector(path, "cpu")


def test_without_default_weights_the_remedy_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(default_weights, "DEFAULT_WEIGHTS", tmp_path / "default.safetensors")
    with pytest.raises(
        CheckpointError, match=r"no default weights|without default weights.*--checkpoint FILE"
    ):
        load_detector()


def test_default_weights_are_used_where_they_exist(monkeypatch, tmp_path):
    path = write_checkpoint(tmp_path / "default.safetensors")
    monkeypatch.setattr(default_weights, "DEFAULT_WEIGHTS", path)
    assert load_detector(device="cpu").path == path


def test_absent_device_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == torch.device("cpu")
    with pytest.raises(ConfigError, match="no GPU here; choose cpu or auto"):
        resolve_device("cuda")
    with pytest.raises(ConfigError, match="choose auto, cpu or cuda"):
        resolve_device("tpu")


@pytest.mark.slow
def test_loading_a_detector_and_its_extractor_imports_no_training_package(tmp_path):
    path = write_checkpoint(tmp_path / "tiny.safetensors")
    code = (
        "import sys; from deepfake_ssat import load_detector; "
        f"load_detector({str(path)!r}, 'cpu')._finder._extractor; "
        "heavy = {'lightning', 'albumentations', 'timm', 'sklearn', 'matplotlib', 'transformers'}; "
        "heavy.add('torchvision'); "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "[]"


def test_checkpoint_that_never_learned_to_classify_is_refused(tmp_path):
    path = write_checkpoint(tmp_path / "mae.safetensors", provenance={"objective": {"name": "mae"}})
    with pytest.raises(CheckpointError, match="pre-trained without labels and cannot judge"):
        load_detector(path, "cpu")


def test_what_a_caller_does_wrong_is_an_error_and_no_status(tmp_path, monkeypatch, video):
    detector = make_detector(tmp_path, monkeypatch, ScriptedExtractor([face_clip(0, 0)]))
    for judge in (detector.detect, detector.explain):
        with pytest.raises(MissingFileError, match=r"none\.mp4 does not exist"):
            judge(tmp_path / "none.mp4")
        with pytest.raises(ConfigError, match="clips is 0"):
            judge(video, clips=0)
    with pytest.raises(ConfigError, match=r"path is .*; give one path"):
        detector.explain([video])
    with pytest.raises(ConfigError, match="num_clips is -1"):
        detector.explain(video, num_clips=-1)
    with pytest.raises(ConfigError, match="pixels are"):
        detector.score(np.zeros((1, 2)))
    with pytest.raises(ConfigError, match="checkpoint is 3; give one path"):
        load_detector(3)  # pyright: ignore[reportArgumentType]


def test_explanation_without_a_decoder_says_that_a_map_is_missing(tmp_path, monkeypatch, video):
    detector = make_detector(tmp_path, monkeypatch, ScriptedExtractor([face_clip(0, 0)]))
    explanation = detector.explain(video)
    assert explanation.clips[0].reconstruction_error is None
    assert "reconstruction error: the loaded weights have no decoder" in explanation.notes[0]
    with_decoder = load_detector(detector.path, "cpu", decoder=True).explain(video)
    assert with_decoder.clips[0].reconstruction_error is not None
    assert with_decoder.notes == ()


def test_any_clip_of_a_verdict_is_explained_as_it_was_found_and_the_rest_is_not_read(
    tmp_path, monkeypatch, video
):
    scripted = ScriptedExtractor([face_clip(0, 0), face_clip(1, 0), face_clip(0, 16), face_clip(0, 32)])
    detector = make_detector(tmp_path, monkeypatch, scripted)
    everything = detector.explain(video, clips=2, num_clips=9)
    expected = next(
        clip for clip in everything.clips if (clip.score.track_id, clip.seconds[0]) == (0, 16 / 25)
    )
    scripted.clips = iter(scripted.clips)
    rounded = replace(expected.score, start_seconds=round(expected.score.start_seconds, 3))
    found = detector.explain_clip(video, rounded, clips=2)
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    np.testing.assert_array_equal(found.evidence, expected.evidence)
    assert found.score is rounded
    assert scripted.asked == [2, 2]
    assert len(list(scripted.clips)) == 1
    scripted.clips = [face_clip(0, 0)]
    with pytest.raises(ConfigError, match=r"no clip of face 0 begins at 0\.640 s"):
        detector.explain_clip(video, rounded)


def test_marks_are_of_all_frames_with_a_face_and_have_no_score_where_no_clip_holds_it(tmp_path):
    detector = load_detector(write_checkpoint(tmp_path / "tiny.safetensors"), "cpu")
    path = write_video(tmp_path / "face.mp4", portrait_frames(4 * VIDEO.frames + 2))
    explanation = detector.explain(path, clips=None, num_clips=0)
    last = 4 * VIDEO.frames + 1
    assert explanation.searched == ((0, last),)
    scores = {frame: [mark.probability for mark in marks] for frame, marks in explanation.marks.items()}
    of_clips = [clip.probability for clip in explanation.verdict.clips]
    assert scores == {
        frame: [of_clips[frame // VIDEO.frames] if frame // VIDEO.frames < 4 else None]
        for frame in range(last + 1)
    }
