"""Verdicts of fits on other people's videos: who is parted from whom, and what each fit has seen."""

import numpy as np
import pytest

from deepfake_ssat.calibration.crossfit import PARTS, counted, cross_fitted, parts_of
from deepfake_ssat.metrics import VideoLogits, choose_band, fit_platt
from deepfake_ssat.records import FAKE, REAL, Verdict


def one_clip_each(labels, logits):
    places = np.arange(len(labels))
    return VideoLogits(np.array(labels), np.array(logits, dtype=float), places, places)


@pytest.fixture(scope="module")
def drawn():
    generator = np.random.default_rng(3)
    labels = np.array([REAL] * 30 + [FAKE] * 30)
    people = [(f"p{video % 15}",) for video in range(60)]
    return one_clip_each(labels, generator.normal(2.0 * labels, 1.5)), people


def test_nobody_is_in_two_parts_and_both_classes_are_in_each(drawn):
    videos, people = drawn
    parts = parts_of(videos.labels, people)
    for name in {name for own in people for name in own}:
        assert len({part for part, own in zip(parts, people, strict=True) if name in own}) == 1
    for label in (REAL, FAKE):
        assert np.bincount(parts[videos.labels == label], minlength=PARTS).tolist() == [6] * PARTS


def test_who_appears_with_somebody_stays_with_him_and_videos_of_nobody_are_alone():
    people = [("a",), ("a", "b"), ("b", "c"), ("c",), *[()] * 16]
    parts = parts_of(np.array([REAL, FAKE] * 10), people)
    assert len(set(parts[:4].tolist())) == 1
    assert np.bincount(parts, minlength=PARTS).tolist() == [4] * PARTS


@pytest.mark.slow
def test_each_verdict_is_that_of_a_fit_on_the_other_parts(drawn):
    videos, people = drawn
    parts = parts_of(videos.labels, people)
    for video, found in enumerate(cross_fitted(videos, people, "platt", 0.1, 0.1)):
        seen = parts != parts[video]
        others = one_clip_each(videos.labels[seen], videos.logits[seen])
        scaling = fit_platt(others)
        band = choose_band(others.labels, others.probabilities(scaling), 0.1, 0.1)
        probability = 1 / (1 + np.exp(-(videos.logits[video] / scaling.temperature + scaling.bias)))
        expected = Verdict.FAKE if probability >= band.high else Verdict.UNCERTAIN
        assert found == (Verdict.REAL if probability < band.low else expected)


@pytest.mark.slow
def test_a_person_who_looks_manipulated_counts_though_the_fit_on_all_spares_him():
    labels = [REAL] * 20 + [FAKE] * 20
    logits = [*np.linspace(-3, -2, 18), 4.0, 4.0, *np.linspace(2, 3, 20)]
    people = (
        [(f"p{video}",) for video in range(18)] + [("odd",)] * 2 + [(f"f{video}",) for video in range(20)]
    )
    videos = one_clip_each(labels, logits)
    scaling = fit_platt(videos)
    assert choose_band(videos.labels, videos.probabilities(scaling), 0.05, 0.05).false_alarms <= 1
    found = counted(videos.labels, cross_fitted(videos, people, "platt", 0.05, 0.05))
    assert (found.parts, found.false_alarms, found.misses) == (PARTS, 2, 0)


def test_part_of_videos_has_their_faces_and_clips_alone():
    videos = VideoLogits(
        labels=np.array([REAL, FAKE, FAKE]),
        logits=np.arange(7.0),
        face_starts=np.array([0, 2, 3, 6]),
        video_starts=np.array([0, 1, 3]),
    )
    part = videos.part(np.array([1, 2]))
    assert (part.labels.tolist(), part.logits.tolist()) == ([FAKE, FAKE], [2.0, 3.0, 4.0, 5.0, 6.0])
    assert (part.face_starts.tolist(), part.video_starts.tolist()) == ([0, 1, 4], [0, 2])


def test_too_few_people_to_part_give_none(drawn):
    videos, _ = drawn
    assert cross_fitted(videos, [("everybody",)] * 60, "platt", 0.1, 0.1) is None
