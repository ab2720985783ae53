"""One video: clip files of its tracks, gaps, masks that tell which face was changed, unreadable files."""

import numpy as np
import pytest
from PIL import Image

from deepfake_ssat.clips.landmarks import read_landmarks
from deepfake_ssat.clips.storage import count_frames, read_frames
from deepfake_ssat.extraction.masks import TrackPlaces, find_changed, measure
from deepfake_ssat.extraction.video import Task, TrackWriter, extract_video
from deepfake_ssat.records import FaceClip, Status
from tests.commands.fixed_faces import SETTINGS, FixedExtractor
from tests.videos import coded_frames, write_video

LEFT, RIGHT = (0, 0, 30, 40), (50, 10, 90, 60)


def _extract(tmp_path, boxes, num_frames=12, mask=None, missing=(), original=None):
    video = write_video(tmp_path / "video.mp4", coded_frames(num_frames))
    task = Task(video, tmp_path / "staging", mask, original)
    return extract_video(task, FixedExtractor(boxes, frozenset(missing)), SETTINGS)


def _mask(tmp_path, *lit, num_frames=12):
    """A mask video, white in the box of each frame."""
    boxes = [lit[min(index * len(lit) // num_frames, len(lit) - 1)] for index in range(num_frames)]
    return write_video(tmp_path / "mask.mp4", [_lit(box) for box in boxes])


def _lit(box):
    picture = np.zeros((64, 96, 3), np.uint8)
    x0, y0, x1, y1 = box
    picture[y0:y1, x0:x1] = 255
    return picture


def noisy_frame(index, size=(120, 160)):
    """A textured picture whose compression differs from frame to frame."""
    noise = np.random.default_rng(index).integers(0, 60, (*size, 3))
    return (noise + 90).astype(np.uint8)


def test_consecutive_clips_of_a_track_are_one_file(tmp_path):
    extraction = _extract(tmp_path, {0: LEFT, 3: RIGHT})
    assert extraction.status is Status.SCORED
    assert [(clip.file, clip.first_frame, clip.num_frames) for clip in extraction.clips] == [
        ("track000_00.mp4", 0, 12),
        ("track003_00.mp4", 0, 12),
    ]
    assert count_frames(tmp_path / "staging/track003_00.mp4") == 12
    assert extraction.clips[1].box == RIGHT
    assert extraction.clips[1].face_size == 50
    assert extraction.clips[1].end_seconds == pytest.approx(11 / 25)


def test_missing_frame_starts_another_part_and_is_never_renumbered(tmp_path):
    extraction = _extract(tmp_path, {0: LEFT}, num_frames=14, missing=[5])
    # Frames 0-3, then 6-9 and 10-13: 4 is left over before the gap.
    assert [(clip.file, clip.first_frame, clip.num_frames) for clip in extraction.clips] == [
        ("track000_00.mp4", 0, 4),
        ("track000_01.mp4", 6, 8),
    ]


def test_folder_of_frames_gives_the_clips_of_its_video_under_its_numbers(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, picture in enumerate(coded_frames(8), start=6):
        Image.fromarray(picture).save(folder / f"frame_{number:04}.png")
    task = Task(folder, tmp_path / "staging")
    extraction = extract_video(task, FixedExtractor({0: LEFT}), SETTINGS)
    assert [(clip.first_frame, clip.num_frames) for clip in extraction.clips] == [(6, 8)]
    assert extraction.warnings == ("frames are pictures without times: 25 a second are assumed",)


def test_stored_pixels_are_the_crops(tmp_path):
    clip = _clip(0, range(4))
    with TrackWriter(tmp_path, fps=25, stride=1) as writer:
        writer.write(clip)
    assert np.array_equal(read_frames(tmp_path / writer.stored[0].file, range(4)), clip.pixels)


def test_contract_tells_how_clips_are_compressed(tmp_path):
    video = write_video(tmp_path / "v.mp4", coded_frames(8))
    sizes = []
    for crf in (0, 30):
        settings = SETTINGS.model_copy(update={"clip_crf": crf})
        task = Task(video, tmp_path / f"staging{crf}")
        extraction = extract_video(task, FixedExtractor({0: LEFT}), settings)
        sizes.append((task.staging / extraction.clips[0].file).stat().st_size)
    assert sizes[1] < sizes[0]


def test_landmarks_of_all_clips_lie_beside_the_file(tmp_path):
    clips = [_clip(0, range(4)), _clip(0, range(4, 8))]
    for number, clip in enumerate(clips):
        clip.landmarks[:] = np.arange(40).reshape(4, 5, 2) + 100 * number
    with TrackWriter(tmp_path, fps=25, stride=1) as writer:
        for clip in clips:
            writer.write(clip)
    stored = read_landmarks(tmp_path / writer.stored[0].file)
    assert np.array_equal(stored, np.concatenate([clip.landmarks for clip in clips]))


def test_track_at_stride_2_is_contiguous_at_stride_2(tmp_path):
    with TrackWriter(tmp_path, fps=25, stride=2) as writer:
        for first in (0, 8, 17):
            writer.write(_clip(0, range(first, first + 8, 2)))
    assert [(clip.first_frame, clip.num_frames) for clip in writer.stored] == [(0, 8), (17, 4)]


def test_crowd_keeps_a_bounded_number_of_files_open(tmp_path, monkeypatch):
    monkeypatch.setattr("deepfake_ssat.extraction.video.MAX_OPEN_FILES", 2)
    with TrackWriter(tmp_path, fps=25, stride=1) as writer:
        for first in (0, 4):
            for track in range(3):
                writer.write(_clip(track, range(first, first + 4)))
    assert sorted(clip.file for clip in writer.stored) == sorted(
        f"track00{track}_0{part}.mp4" for track in range(3) for part in range(2)
    )


def test_exception_leaves_no_clip_file(tmp_path):
    writer = TrackWriter(tmp_path, fps=25, stride=1)

    def write_and_fail():
        with writer:
            writer.write(_clip(0, range(4)))
            raise KeyError

    with pytest.raises(KeyError):
        write_and_fail()
    assert list(tmp_path.iterdir()) == []


def test_unreadable_video_is_a_result_with_its_reason(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    task = Task(tmp_path / "text.mp4", tmp_path / "staging")
    extraction = extract_video(task, FixedExtractor({0: LEFT}), SETTINGS)
    assert extraction.status is Status.UNREADABLE
    assert "text.mp4" in extraction.detail
    assert extraction.clips == ()


def test_too_short_video_keeps_its_status(tmp_path):
    extraction = _extract(tmp_path, {0: LEFT}, num_frames=3)
    assert (extraction.status, extraction.clips) == (Status.TOO_SHORT, ())


def test_only_the_face_under_the_mask_is_kept(tmp_path):
    extraction = _extract(tmp_path, {0: LEFT, 1: RIGHT}, mask=_mask(tmp_path, RIGHT))
    assert [clip.track_id for clip in extraction.clips] == [1]
    assert extraction.warnings == ("1 of 2 face tracks left out: not changed, by the mask",)


def test_mask_shorter_than_its_video_still_decides(tmp_path):
    mask = _mask(tmp_path, LEFT, num_frames=9)
    extraction = _extract(tmp_path, {0: LEFT, 1: RIGHT}, num_frames=20, mask=mask)
    assert [(clip.track_id, clip.num_frames) for clip in extraction.clips] == [(0, 20)]


def test_mask_beside_every_face_drops_the_video(tmp_path):
    extraction = _extract(tmp_path, {0: LEFT}, mask=_mask(tmp_path, (60, 40, 90, 60)))
    assert extraction.status is Status.NO_FACE
    assert "mask" in extraction.detail


def test_dark_or_damaged_mask_is_not_used_and_said(tmp_path):
    dark = _extract(tmp_path, {0: LEFT, 1: RIGHT}, mask=_mask(tmp_path, (0, 0, 0, 0)))
    assert len(dark.clips) == 2
    assert dark.warnings == ("mask not used: it shows no change",)
    (tmp_path / "bad.mp4").write_text("no video")
    damaged = _extract(tmp_path, {0: LEFT, 1: RIGHT}, mask=tmp_path / "bad.mp4")
    assert len(damaged.clips) == 2
    assert damaged.warnings[0].startswith("mask not used: ")


def test_original_tells_which_of_several_faces_was_changed(tmp_path):
    extraction = _extract(tmp_path, {0: LEFT, 1: RIGHT}, original=_original(tmp_path, RIGHT))
    assert [clip.track_id for clip in extraction.clips] == [1]
    assert extraction.warnings == (
        "1 of 2 face tracks left out: not changed, by the difference from the original",
    )


def test_original_that_shows_no_change_or_another_place_decides_nothing(tmp_path):
    same = _extract(tmp_path, {0: LEFT, 1: RIGHT}, original=_original(tmp_path, (0, 0, 0, 0)))
    assert len(same.clips) == 2
    assert same.warnings == ("difference from the original not used: it shows no change",)
    elsewhere = _extract(tmp_path, {0: LEFT, 1: RIGHT}, original=_original(tmp_path, (30, 45, 48, 64)))
    assert len(elsewhere.clips) == 2
    assert elsewhere.warnings == ("difference from the original not used: it points at no face",)


def test_original_is_not_read_for_a_single_face(tmp_path):
    extraction = _extract(tmp_path, {0: LEFT}, original=tmp_path / "absent.mp4")
    assert (len(extraction.clips), extraction.warnings) == (1, ())


def test_original_of_another_size_decides_nothing(tmp_path):
    original = write_video(tmp_path / "original.mp4", coded_frames(12, size=(48, 96)))
    extraction = _extract(tmp_path, {0: LEFT, 1: RIGHT}, original=original)
    assert len(extraction.clips) == 2
    assert extraction.warnings[0].endswith("or has them in another size")


def test_face_is_measured_against_what_lies_outside_all_faces():
    picture = np.full((64, 96), 3.0)
    picture[10:60, 50:90] = 9.0
    boxes = {0: np.array([50 / 96, 10 / 64, 90 / 96, 60 / 64]), 1: np.array([0, 0, 15 / 96, 20 / 64])}
    assert measure(picture, boxes) == {0: 6.0, 1: 0.0}


def test_both_shots_of_the_changed_person_are_kept_though_one_shows_less():
    places = TrackPlaces(width=96, height=64)
    places.add(_clip(0, range(8), box=RIGHT))
    places.add(_clip(1, range(8), box=LEFT))
    places.add(_clip(2, range(16, 24), box=RIGHT))
    strong, weak = np.zeros((2, 64, 96))
    strong[10:60, 50:90], weak[10:60, 50:90] = 12.0, 6.0
    changes = places.changes(iter([(0, strong), (16, weak)]))
    assert changes.by_track == {0: 12.0, 1: 0.0, 2: 6.0}
    assert changes.largest == 12.0


def test_mouth_that_moves_in_a_quarter_of_the_frames_counts_as_changed():
    places = TrackPlaces(width=96, height=64)
    places.add(_clip(0, range(96), box=RIGHT))
    pictures = [(index, np.zeros((64, 96))) for index in range(0, 96, 8)]
    for _, picture in pictures[:4]:
        picture[10:60, 50:90] = 6.0
    assert places.changes(iter(pictures)).by_track[0] > 2.0


def test_mask_of_another_size_than_its_video_is_scaled():
    light = np.zeros((32, 48))
    light[5:30, 25:45] = 255
    places = TrackPlaces(width=960, height=640)
    places.add(_clip(0, range(8), box=(500, 100, 900, 600)))
    assert places.changes(iter([(0, light)])).by_track == {0: 255.0}


def test_changed_mouth_is_found_under_the_noise_of_compression(tmp_path):
    """As NeuralTextures: a fifth of one face changes by 20 grey levels; both versions are compressed."""
    frames = [noisy_frame(index) for index in range(16)]
    fake = [picture.copy() for picture in frames]
    for picture in fake:
        picture[70:90, 90:120] = np.clip(picture[70:90, 90:120].astype(int) + 20, 0, 255)
    faces = {0: (80, 20, 130, 100), 1: (10, 30, 40, 70)}
    original = write_video(tmp_path / "original.mp4", frames, codec="libx264")
    video = write_video(tmp_path / "video.mp4", fake, codec="libx264")
    task = Task(video, tmp_path / "staging", None, original)
    extraction = extract_video(task, FixedExtractor(faces), SETTINGS)
    assert {clip.track_id for clip in extraction.clips} == {0}
    assert {clip.track_id for clip in extraction.left_out} == {1}
    assert extraction.is_changed_known


def test_two_changed_faces_under_one_mask_are_both_kept(tmp_path):
    mask = write_video(tmp_path / "mask.mp4", [np.maximum(_lit(LEFT), _lit(RIGHT))] * 12)
    assert len(_extract(tmp_path, {0: LEFT, 1: RIGHT}, mask=mask).clips) == 2


def test_face_that_comes_after_the_end_of_the_mask_is_kept(tmp_path):
    places = TrackPlaces(width=96, height=64)
    places.add(_clip(0, range(8), box=LEFT))
    places.add(_clip(1, range(8), box=RIGHT))
    places.add(_clip(2, range(16, 24), box=RIGHT))
    mask = _mask(tmp_path, LEFT, num_frames=9)
    assert find_changed(places, tmp_path / "unread.mp4", mask, None, []) == {0, 2}


def _original(tmp_path, box, num_frames=12):
    """The video before its change: inverted in the box."""
    frames = coded_frames(num_frames)
    x0, y0, x1, y1 = box
    for picture in frames:
        picture[y0:y1, x0:x1] = 255 - picture[y0:y1, x0:x1]
    return write_video(tmp_path / "original.mp4", frames)


def _clip(track, indices, box=LEFT):
    count = len(indices)
    pixels = np.random.default_rng(track).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    return FaceClip(
        pixels=pixels,
        frame_indices=np.array(indices),
        seconds=np.array(indices) / 25,
        track_id=track,
        boxes=np.tile(np.array(box, dtype=float), (count, 1)),
        landmarks=np.zeros((count, 5, 2)),
    )
