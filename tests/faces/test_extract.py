import weakref

import cv2
import numpy as np
import pytest

from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.faces.extract import FaceExtractor
from deepfake_ssat.faces.searched import SearchLog
from deepfake_ssat.records import Status, VideoMetadata
from deepfake_ssat.video import VideoFrame
from tests.portraits import background, portrait, portrait_frames, with_faces


class Frames:
    """A reader over pictures in memory; ``indices`` leaves some out, ``size`` is that of the video."""

    def __init__(self, pictures, indices=None, announced=None, size=None):
        self.pictures, self.indices = pictures, indices or range(len(pictures))
        height, width = pictures[0].shape[:2]
        self.size = size or (width, height)
        count = len(pictures) if announced is None else announced
        self.metadata = VideoMetadata(25.0, count, width, height, 0, "test", count / 25)
        self.warnings = []
        self.converted = []
        self.alive = weakref.WeakSet()
        self.most_alive = 0

    def __iter__(self):
        for index in self.indices:
            frame = self._frame(index)
            self.alive.add(frame.convert)
            self.most_alive = max(self.most_alive, len(self.alive))
            yield frame
            del frame

    def _frame(self, index):
        picture = self.pictures[index]

        def convert(width, height):
            self.converted.append(index)
            return np.ascontiguousarray(picture)

        own_size = picture.shape[1::-1]
        return VideoFrame(index, index / 25, *self.size, convert, None if own_size == self.size else own_size)

    def turn(self, degrees):
        self.pictures = [np.rot90(picture, -degrees // 90) for picture in self.pictures]
        self.size = self.pictures[0].shape[1::-1]


SETTINGS = ExtractionSettings(crop_size=64)


@pytest.fixture(scope="module")
def extractor():
    return FaceExtractor(SETTINGS)


def by_track(clips):
    tracks = {}
    for clip in clips:
        tracks.setdefault(clip.track_id, []).append(clip)
    return tracks


def test_clips_are_consecutive_segments_with_true_indices(extractor):
    extraction = extractor.extract(Frames(portrait_frames(50)))
    clips = list(extraction)
    assert [clip.frame_indices.tolist() for clip in clips] == [list(range(s, s + 16)) for s in (0, 16, 32)]
    assert clips[1].seconds[0] == pytest.approx(16 / 25)
    assert clips[0].pixels.shape == (16, 64, 64, 3)
    assert extraction.status is Status.SCORED
    assert extraction.num_frames == 50


def test_face_is_centred_and_landmarks_lie_on_it(extractor):
    for clip in extractor.extract(Frames(portrait_frames(40))):
        nose = clip.landmarks[:, 2]
        assert np.abs(nose - 32).max() < 12
        assert (clip.landmarks[:, 0, 0] < clip.landmarks[:, 1, 0]).all()


def test_crossing_people_do_not_swap(extractor):
    def centers(index):
        return [(60 + 3 * index, 120), (330 - 3 * index, 140)]

    frames = portrait_frames(90, (260, 390), centers, 80, ["none", "green"])
    tracks = by_track(extractor.extract(Frames(frames)))
    for clips in tracks.values():
        middle = np.stack([clip.pixels[:, 16:48, 16:48].mean(axis=(0, 1, 2)) for clip in clips])
        greenish = middle[:, 1] > middle[:, 0]
        assert greenish.all() or not greenish.any()
    assert len(tracks) >= 2


def test_no_clip_spans_a_cut(extractor):
    other = [with_faces(255 - background(240, 320, 5), [(200, 130)], 80, ["green"])] * 30
    clips = list(extractor.extract(Frames([*portrait_frames(21), *other])))
    assert {clip.track_id for clip in clips} == {0, 1}
    assert all(clip.frame_indices[-1] < 21 or clip.frame_indices[0] >= 21 for clip in clips)
    assert min(clip.frame_indices[0] for clip in clips if clip.track_id == 1) == 21


def test_missing_frames_are_never_bridged(extractor):
    indices = [*range(20), *range(23, 60)]
    clips = list(extractor.extract(Frames(portrait_frames(60), indices)))
    assert [clip.frame_indices[0] for clip in clips] == [0, 23, 39]
    assert all((np.diff(clip.frame_indices) == 1).all() for clip in clips)


def test_stride_takes_every_second_frame():
    settings = SETTINGS.model_copy(update={"frame_stride": 2})
    clips = list(FaceExtractor(settings).extract(Frames(portrait_frames(70))))
    assert [clip.frame_indices.tolist() for clip in clips] == [list(range(0, 32, 2)), list(range(32, 64, 2))]


def test_video_without_a_face_is_said_to_have_none(extractor):
    extraction = extractor.extract(Frames([background(240, 320)] * 30))
    assert list(extraction) == []
    assert extraction.status is Status.NO_FACE
    assert "40 pixels" in extraction.detail


def test_face_seen_too_briefly_is_too_short(extractor):
    extraction = extractor.extract(Frames(portrait_frames(12)))
    assert list(extraction) == []
    assert extraction.status is Status.TOO_SHORT
    assert "12 frames in a row" in extraction.detail


def test_small_faces_are_left_out():
    settings = SETTINGS.model_copy(update={"min_face_size": 100.0})
    extraction = FaceExtractor(settings).extract(Frames(portrait_frames(30, face_side=60)))
    assert list(extraction) == []
    assert extraction.status is Status.NO_FACE


def test_windows_give_few_clips_and_convert_few_frames(extractor):
    reader = Frames(portrait_frames(200))
    clips = list(extractor.extract(reader, clips=2))
    assert [clip.frame_indices[0] for clip in clips] == [42, 142]
    assert {clip.track_id for clip in clips} == {0}
    assert set(reader.converted) <= {*range(42, 58), *range(142, 158)}


def test_short_video_is_read_whole_whatever_is_asked(extractor):
    assert len(list(extractor.extract(Frames(portrait_frames(50)), clips=4))) == 3


def test_video_shorter_than_announced_warns(extractor):
    extraction = extractor.extract(Frames(portrait_frames(60), announced=200), clips=2)
    assert len(list(extraction)) == 1
    assert "ended after 60 frames" in extraction.warnings[0]


def test_video_that_ends_before_every_window_is_judged_by_its_end(extractor):
    extraction = extractor.extract(Frames(portrait_frames(60), announced=5000), clips=4)
    assert [clip.frame_indices.tolist() for clip in extraction] == [list(range(44, 60))]
    assert extraction.status is Status.SCORED
    assert "ended after 60 frames" in extraction.warnings[0]


@pytest.mark.slow
@pytest.mark.parametrize("degrees", [90, 180])
def test_video_stored_turned_is_read_again_upright(extractor, degrees):
    upright = portrait_frames(20)
    extraction = extractor.extract(Frames([np.rot90(picture, degrees // 90) for picture in upright]))
    (clip,) = extraction
    (expected,) = extractor.extract(Frames(upright))
    assert np.abs(clip.pixels.astype(int) - expected.pixels).mean() < 6
    assert extraction.status is Status.SCORED
    assert f"turned by {degrees}° clockwise" in extraction.warnings[0]


def test_upright_video_is_not_turned(extractor):
    extraction = extractor.extract(Frames(portrait_frames(12)))
    assert list(extraction) == []
    assert (extraction.status, extraction.warnings) == (Status.TOO_SHORT, [])


def resized(pictures, factor):
    return [cv2.resize(picture, None, fx=factor, fy=factor) for picture in pictures]


@pytest.mark.slow
@pytest.mark.parametrize("factor", [0.75, 2.0])
def test_face_is_followed_where_the_video_changes_its_size(extractor, factor):
    pictures = portrait_frames(48, face_side=90)
    changed = [*pictures[:20], *resized(pictures[20:], factor)]
    clips = list(extractor.extract(Frames(changed)))
    assert [clip.frame_indices[0] for clip in clips] == [0, 16, 32]
    assert {clip.track_id for clip in clips} == {0}
    boxes = np.concatenate([clip.boxes for clip in clips])
    drift = 0.5 * np.outer(np.arange(48), [1, 0, 1, 0])
    assert np.abs(boxes - boxes[0] - drift).max() < 8
    for clip in clips:
        assert np.abs(clip.landmarks[:, 2] - 32).max() < 12


def test_nobody_is_followed_into_a_picture_of_another_shape(extractor):
    wide, high = portrait_frames(24), portrait_frames(24, (320, 240), lambda _: [(120, 160)])
    clips = list(extractor.extract(Frames([*wide, *high], size=(320, 240))))
    assert [(clip.track_id, int(clip.frame_indices[0])) for clip in clips] == [(0, 0), (1, 24)]


@pytest.mark.slow
def test_frames_held_do_not_grow_with_the_video(extractor):
    picture = with_faces(background(240, 320), [(160, 120)], 80)
    most = []
    for count in (150, 400):
        reader = Frames([picture] * count)
        assert len(list(extractor.extract(reader))) == count // 16
        most.append(reader.most_alive)
    assert most[0] == most[1] < 80


def test_face_at_the_border_is_padded_not_stretched(extractor):
    frames = portrait_frames(20, centers=lambda _: [(30, 120)])
    clip = next(iter(extractor.extract(Frames(frames))))
    assert (clip.pixels[:, :, 0] == 0).all()
    assert clip.pixels[:, :, -1].any()


def test_portraits_of_the_tests_differ():
    assert np.abs(portrait(80).astype(int) - portrait(80, "green")).mean() > 20


def test_log_tells_of_every_face_that_was_found_whether_a_clip_holds_it_or_not(extractor):
    log = SearchLog()
    clips = list(extractor.extract(Frames([*[background(240, 320)] * 8, *portrait_frames(29)]), log=log))
    assert len(clips) == 1
    assert log.stretches == [(0, 36)]
    assert list(log.boxes) == list(range(8, 37))
    assert {track for faces in log.boxes.values() for track, _ in faces} == {0}
    np.testing.assert_array_equal([log.boxes[index][0][1] for index in range(8, 24)], clips[0].boxes)


def test_log_of_a_video_that_is_looked_at_here_and_there_names_the_stretches(extractor):
    log = SearchLog()
    list(extractor.extract(Frames(portrait_frames(100)), clips=2, log=log))
    assert log.stretches == [(17, 32), (67, 82)]
    assert sorted(log.boxes) == [*range(17, 33), *range(67, 83)]
