"""Stored clips: which segments are scored, that their pixels are theirs, and that damage stops the run."""

from dataclasses import replace

import numpy as np
import pytest

from deepfake_ssat.clips.storage import ClipWriter, read_frames
from deepfake_ssat.errors import ManifestError
from deepfake_ssat.evaluation.stored_clips import FRAMES_PER_FACE, plan_clips, score_clips
from deepfake_ssat.records import FAKE
from tests.manifests import TinyVideo, make_manifest


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    videos = [TinyVideo("a", 0), TinyVideo("b", FAKE, tracks=2)]
    return make_manifest(tmp_path_factory.mktemp("clips"), videos, frames=38)


def _score_all(clips, manifest, score, batch=3, image_size=32):
    return [
        (clip, value)
        for part, values in score_clips(clips, manifest.root, image_size, score, batch)
        for clip, value in zip(part, values, strict=True)
    ]


def test_all_whole_segments_of_every_track_are_planned(manifest):
    clips = plan_clips(manifest.rows, 16)
    assert [(clip.row.video_id, clip.row.track_id, clip.start) for clip in clips] == [
        ("a", 0, 0),
        ("a", 0, 16),
        ("b", 0, 0),
        ("b", 0, 16),
        ("b", 1, 0),
        ("b", 1, 16),
    ]


def test_models_that_read_less_get_more_segments(manifest):
    assert len(plan_clips(manifest.rows, 4)) == 3 * 9


def test_true_frames_and_seconds_follow_the_stride(manifest):
    row = replace(manifest.rows[0], first_frame=100, frame_stride=2, start_seconds=4.0, end_seconds=6.96)
    clip = plan_clips([row], 16)[1]
    assert clip.first_frame == 132
    score = clip.scored(0.25)
    # 25 frames a second, every second one: 0.08 s apart.
    assert (score.start_seconds, score.end_seconds) == (pytest.approx(5.28), pytest.approx(6.48))
    assert score.probability == 0.25


def test_file_shorter_than_a_clip_is_refused(manifest):
    with pytest.raises(
        ManifestError, match=r"a/track000_00.mp4 has 38 frames, the model needs 64; .*--frames 64"
    ):
        plan_clips(manifest.rows, 64)


def test_still_picture_is_no_clip_to_score(manifest):
    still = replace(manifest.rows[0], num_frames=1)
    with pytest.raises(ManifestError, match="has 1 frames, the model needs 16; leave still pictures out"):
        plan_clips([still], 16)


def test_single_frames_are_spread_over_all_files_of_a_face(manifest):
    first = manifest.rows[0]
    second = replace(first, clip_file="clips/other.mp4", first_frame=100, num_frames=62)
    clips = plan_clips([first, second, *manifest.rows[1:]], 1)
    of_first_face = [clip for clip in clips if clip.row.video_id == "a"]
    assert len(of_first_face) == FRAMES_PER_FACE
    assert (of_first_face[0].first_frame, of_first_face[-1].first_frame) == (0, 161)
    assert sum(clip.row is first for clip in of_first_face) == pytest.approx(FRAMES_PER_FACE * 0.38, abs=1)
    assert all(clip.frames == 1 for clip in clips)


def test_face_with_fewer_frames_gives_them_all(manifest):
    short = replace(manifest.rows[0], num_frames=5)
    assert [clip.start for clip in plan_clips([short], 1)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_each_clip_is_scored_on_its_own_pixels(manifest, batch):
    clips = plan_clips(manifest.rows, 16)
    scored = _score_all(clips, manifest, lambda pixels: pixels.mean(axis=(1, 2, 3, 4)), batch)
    assert [clip for clip, _ in scored] == clips
    for clip, value in scored:
        pixels = read_frames(manifest.root / clip.row.clip_file, range(clip.start, clip.start + 16))
        assert value == pytest.approx(pixels.mean())


def test_single_frames_keep_their_order(manifest):
    clips = plan_clips(manifest.rows[:1], 1)
    scored = _score_all(clips, manifest, lambda pixels: pixels[:, 0, 0, 0, 0].astype(float), batch=5)
    pixels = read_frames(manifest.root / manifest.rows[0].clip_file, [clip.start for clip in clips])
    assert [value for _, value in scored] == pixels[:, 0, 0, 0].tolist()


def test_clips_come_in_the_models_size(manifest):
    seen = []

    def score(pixels):
        seen.append((pixels.shape, pixels.dtype))
        return np.zeros(len(pixels))

    _score_all(plan_clips(manifest.rows, 16), manifest, score, batch=4, image_size=24)
    assert seen == [((4, 16, 24, 24, 3), np.uint8), ((2, 16, 24, 24, 3), np.uint8)]


def test_damaged_file_stops_the_run_and_is_named(tmp_path):
    manifest = make_manifest(tmp_path, [TinyVideo("a", 0), TinyVideo("b", FAKE)])
    damaged = manifest.root / manifest.rows[1].clip_file
    damaged.write_bytes(damaged.read_bytes()[:200])
    with pytest.raises(ManifestError, match=r"b/track000_00\.mp4 is damaged"):
        _score_all(plan_clips(manifest.rows, 16), manifest, lambda pixels: np.zeros(len(pixels)))


def test_consumer_may_stop_early(manifest):
    batches = score_clips(
        plan_clips(manifest.rows, 1), manifest.root, 32, lambda pixels: np.zeros(len(pixels)), 1
    )
    next(batches)
    batches.close()


def test_files_with_other_sizes_may_share_a_batch(tmp_path):
    manifest = make_manifest(tmp_path, [TinyVideo("a", 0), TinyVideo("b", FAKE)], frames=16)
    with ClipWriter(manifest.root / manifest.rows[0].clip_file, 25) as writer:
        writer.write(np.full((16, 48, 48, 3), 7, np.uint8))
    scored = _score_all(plan_clips(manifest.rows, 16), manifest, lambda pixels: pixels[:, 0, 0, 0, 0])
    assert scored[0][1] == 7


def test_looser_clips_are_scored_by_their_middle(manifest):
    (clip, *_) = plan_clips(manifest.rows, 1)
    seen = []

    def score(batch):
        seen.append(batch)
        return np.zeros(len(batch))

    list(score_clips([clip], manifest.root, 20, score, 1, shown=20 / 32))
    stored = read_frames(manifest.root / clip.row.clip_file, [clip.start])
    np.testing.assert_array_equal(seen[0], stored[None, :, 6:26, 6:26])
