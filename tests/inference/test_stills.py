"""Single pictures: one frame, shown to the model for as long as a clip."""

import numpy as np
import pytest
from PIL import Image

from deepfake_ssat.inference.detector import load_detector
from deepfake_ssat.inference.still_error import KEY
from deepfake_ssat.records import Status
from tests.inference.scripted import write_checkpoint
from tests.models.tiny import VIDEO
from tests.portraits import portrait_frames

MEASURED = {
    "measured_on": "frames of 9 validation videos",
    "auc": 0.75,
    "low": 0.5,
    "high": 1.0,
    "genuine": 4,
    "genuine_called_fake": 1,
    "manipulated": 5,
    "manipulated_called_real": 2,
}


@pytest.fixture(scope="module")
def picture():
    return portrait_frames(1)[0]


def save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_face_of_a_picture_is_judged_as_a_clip_that_stands_still(tmp_path, picture, name):
    detector = load_detector(write_checkpoint(tmp_path / "tiny.safetensors"), "cpu")
    seen = []
    verdict = detector.detect(save(tmp_path / name, picture), on_clip=lambda clip, _: seen.append(clip))
    assert verdict.status is Status.SCORED
    assert (len(verdict.faces), len(verdict.clips)) == (1, 1)
    assert verdict.metadata is not None
    assert verdict.metadata.is_still
    (clip,) = seen
    assert len(clip.pixels) == detector.contract.frames
    assert (clip.pixels == clip.pixels[0]).all()
    assert set(clip.frame_indices) == {0}
    pixels = clip.pixels[: VIDEO.frames]
    as_is, mirrored = detector.score(np.stack([pixels, pixels[:, :, ::-1]]))
    assert as_is != mirrored
    assert verdict.probability == pytest.approx((as_is + mirrored) / 2, abs=1e-6)


def test_picture_says_that_it_tells_less_and_how_often_it_was_wrong(tmp_path, picture):
    photo = save(tmp_path / "a.png", picture)
    unmeasured = load_detector(write_checkpoint(tmp_path / "a.safetensors"), "cpu").detect(photo)
    assert "tells less than a video" in unmeasured.warnings[0]
    assert "was not measured" in unmeasured.warnings[0]
    assert "clip only" not in " ".join(unmeasured.warnings)
    checkpoint = write_checkpoint(tmp_path / "b.safetensors", metrics={KEY: MEASURED})
    (warning, *_) = load_detector(checkpoint, "cpu").detect(photo).warnings
    assert "1 of 4 genuine ones were called fake and 2 of 5 manipulated ones real" in warning
    assert "AUC 0.75 [0.50, 1.00]" in warning


def test_picture_without_a_face_has_no_score(tmp_path):
    detector = load_detector(write_checkpoint(tmp_path / "tiny.safetensors"), "cpu")
    verdict = detector.detect(save(tmp_path / "a.png", np.full((120, 160, 3), 128, np.uint8)))
    assert (verdict.status, verdict.probability) == (Status.NO_FACE, None)


def test_cut_picture_is_unreadable(tmp_path, picture):
    whole = save(tmp_path / "a.jpg", picture).read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 8])
    detector = load_detector(write_checkpoint(tmp_path / "tiny.safetensors"), "cpu")
    verdict = detector.detect(tmp_path / "a.jpg")
    assert verdict.status is Status.UNREADABLE
    assert "cannot be read as a picture" in verdict.warnings[0]


def test_picture_on_its_side_is_turned_where_no_face_is_upright_and_says_so(tmp_path, picture):
    detector = load_detector(write_checkpoint(tmp_path / "tiny.safetensors"), "cpu")
    lying = save(tmp_path / "a.png", np.ascontiguousarray(np.rot90(picture)))
    found = detector.detect(lying)
    assert found.status is Status.SCORED
    assert any("turned by 90° clockwise" in warning for warning in found.warnings)
    forced = detector.detect(lying, rotate=90)
    assert (forced.probability, forced.metadata) == (found.probability, found.metadata)
    assert detector.detect(lying, rotate=180).status is Status.NO_FACE


def test_explained_picture_has_its_frame_and_each_mark_once(tmp_path, picture):
    detector = load_detector(write_checkpoint(tmp_path / "tiny.safetensors"), "cpu", decoder=True)
    explanation = detector.explain(save(tmp_path / "a.png", picture))
    assert list(explanation.marks) == [0]
    assert len(explanation.marks[0]) == 1
    assert explanation.clips[0].reconstruction_error is not None


def test_clip_of_a_picture_is_explained_alone_as_with_the_others(tmp_path, picture):
    detector = load_detector(write_checkpoint(tmp_path / "tiny.safetensors"), "cpu", decoder=True)
    path = save(tmp_path / "a.png", picture)
    (expected,) = detector.explain(path).clips
    found = detector.explain_clip(path, expected.score)
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    np.testing.assert_array_equal(found.reconstruction_error, expected.reconstruction_error)
