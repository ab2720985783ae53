"""What cameras and platforms do: every degradation by itself, and how often each comes."""

import time

import cv2
import numpy as np
import pytest

from deepfake_ssat.clips import platforms
from deepfake_ssat.clips.platforms import CHANCES, PlatformDegradations, draw_degradations
from tests.clips.pictures import colourful_frame, moving_clip, static_clip

BY_NAME = {draw.__name__.removeprefix("_draw_"): draw for draw in CHANCES} | {"light": platforms._draw_light}


def degraded(name, seed, clip=None):
    """The frames after one degradation; its draw."""
    change = BY_NAME[name](np.random.default_rng(seed))
    return np.stack(change(list(moving_clip() if clip is None else clip)))


@pytest.mark.parametrize("name", BY_NAME)
def test_degradation_depends_on_its_seed_alone_and_leaves_its_input(name):
    clip = moving_clip()
    first, second = degraded(name, 3, clip), degraded(name, 3, clip)
    assert first.dtype == np.uint8
    assert (first == second).all()
    assert (clip == moving_clip()).all()
    assert any(not np.array_equal(degraded(name, seed, clip), clip) for seed in range(5))


@pytest.mark.parametrize("name", sorted(BY_NAME.keys() - {"h264"}))
def test_all_frames_are_degraded_alike(name):
    for seed in range(10):
        clip = degraded(name, seed, static_clip())
        assert (clip == clip[:1]).all()


def test_each_comes_as_often_as_its_chance_says(monkeypatch):
    marked = {draw: (lambda generator, draw=draw: draw) for draw in CHANCES}
    monkeypatch.setattr(platforms, "CHANCES", {marked[draw]: chance for draw, chance in CHANCES.items()})
    monkeypatch.setattr(platforms, "_draw_light", lambda generator: "light")
    draws = [draw_degradations(np.random.default_rng(seed)) for seed in range(3000)]
    assert np.mean(["light" in draw for draw in draws]) == pytest.approx(0.7, abs=0.03)
    for draw, chance in CHANCES.items():
        assert np.mean([draw in drawn for drawn in draws]) == pytest.approx(chance * 5 / 6, abs=0.03)
    assert all(draw.index("light") == 0 for draw in draws if "light" in draw)
    first, second, *_ = CHANCES
    both = [draw for draw in draws if first in draw and second in draw]
    assert np.mean([draw.index(first) < draw.index(second) for draw in both]) == pytest.approx(0.5, abs=0.12)


def test_light_is_one_curve_for_all_pixels():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, None, :, None], 3, axis=3)
    for seed in range(20):
        curve = degraded("light", seed, ramp)[0, 0].astype(int)
        assert (np.diff(curve, axis=0) >= 0).all()
        assert curve[-1].max() > 120


def test_resolution_stays_small_or_comes_back():
    clip = moving_clip(1, 256)
    sides = [degraded("resolution", seed, clip).shape[1] for seed in range(200)]
    small = [side for side in sides if side != 256]
    assert len(small) / 200 == pytest.approx(0.5, abs=0.12)
    assert 56 <= min(small) < 70
    assert 180 < max(small) < 200
    # As many below the geometric mean of the limits as above it.
    assert np.median(small) == pytest.approx((56 * 200) ** 0.5, rel=0.2)


def test_blur_takes_contrast_and_keeps_the_mean():
    noise = np.random.default_rng(0).integers(60, 190, (1, 128, 128, 3)).astype(np.uint8)
    for seed in range(10):
        blurred = degraded("blur", seed, noise)
        assert blurred.mean() == pytest.approx(noise.mean(), abs=0.6)
        assert blurred.std() <= noise.std() * 1.001
    assert min(degraded("blur", seed, noise).std() for seed in range(10)) < noise.std() / 2


def test_noise_has_the_drawn_strength():
    grey = np.full((2, 96, 96, 3), 128, np.uint8)
    spreads = [degraded("noise", seed, grey).std() for seed in range(40)]
    assert 1.3 < min(spreads) < 2.5
    assert 9 < max(spreads) < 14.5


def test_jpeg_keeps_red_red():
    red = np.zeros((1, 32, 32, 3), np.uint8)
    red[..., 0] = 200
    for seed in range(5):
        assert (degraded("jpeg", seed, red).mean(axis=(0, 1, 2)).argmax()) == 0


def test_h264_sees_the_clip_as_one_video():
    clip = moving_clip(6, 64)
    through = degraded("h264", 0, clip)
    assert through.shape == clip.shape
    assert 0 < np.abs(through.astype(int) - clip).mean() < 20


def test_clip_comes_out_at_the_wanted_size():
    for seed in range(30):
        clip = PlatformDegradations(72)(moving_clip(2, 64), np.random.default_rng(seed))
        assert clip.shape == (2, 72, 72, 3)
        assert clip.dtype == np.uint8


@pytest.mark.slow
def test_a_picture_takes_a_few_milliseconds():
    """A step of the frame model takes some 50 ms of one core a picture; a third of it is the limit."""
    cv2.setNumThreads(1)
    augmentation, picture = PlatformDegradations(224), colourful_frame(224)[None]
    started = time.process_time()
    for seed in range(60):
        augmentation(picture, np.random.default_rng(seed))
    assert (time.process_time() - started) / 60 < 0.016
