"""A bystander that a fake shows unchanged is left out of its original too, and of nothing else."""

from pathlib import Path

from deepfake_ssat.extraction.agreement import agreed
from deepfake_ssat.extraction.journal import ClipFile, Entry, Extraction
from deepfake_ssat.records import SourceVideo, Status

PERSON, BYSTANDER, THIRD = (100, 100, 200, 220), (10, 20, 60, 80), (300, 50, 350, 110)


def clip(track, box, first_frame=0, num_frames=64):
    return ClipFile(f"track{track:03}_00.mp4", track, first_frame, num_frames, 0.0, 1.0, box, 100.0)


def entry(video_id, clips, left_out=(), known=False, original_id=""):
    video = SourceVideo(
        Path(), video_id, int(bool(original_id)), "ffpp", "x", "train", original_id=original_id
    )
    extraction = Extraction(Status.SCORED, "", tuple(clips), tuple(left_out), known)
    return Entry(video, "", (), extraction)


def tracks(entries):
    return [[clip.track_id for clip in one.extraction.clips] for one in entries]


ORIGINAL = entry("a", [clip(0, PERSON), clip(1, BYSTANDER)])
FAKE = entry("a_b", [clip(3, PERSON)], [clip(5, BYSTANDER)], known=True, original_id="a")


def test_fakes_choice_holds_for_its_original():
    original, fake = agreed([ORIGINAL, FAKE], 1)
    assert tracks([original, fake]) == [[0], [3]]
    assert original.extraction.warnings == (
        "1 of 2 face tracks left out: not changed in fakes of this original",
    )


def test_other_fakes_of_the_original_follow_as_well():
    blind = entry("other/a_b", [clip(0, PERSON), clip(1, BYSTANDER)], original_id="a")
    assert tracks(agreed([blind, FAKE], 1)) == [[0], [3]]


def test_face_that_another_fake_changed_stays():
    second = entry("second/a_c", [clip(0, BYSTANDER)], [clip(1, PERSON)], known=True, original_id="a")
    assert tracks(agreed([ORIGINAL, FAKE, second], 1)) == [[0, 1], [3], [0]]


def test_face_of_another_place_or_time_stays():
    later = entry("a", [clip(0, PERSON), clip(1, BYSTANDER, first_frame=64), clip(2, THIRD)])
    assert tracks(agreed([later, FAKE], 1)) == [[0, 1, 2], [3]]
    assert tracks(agreed([later, FAKE], 2)) == [[0, 2], [3]]  # 64 frames of stride 2 reach further.


def test_fake_without_evidence_decides_nothing():
    unsure = entry("a_b", [clip(0, PERSON)], [clip(1, BYSTANDER)], original_id="a")
    assert tracks(agreed([ORIGINAL, unsure], 1)) == [[0, 1], [0]]


def test_no_video_loses_all_its_faces():
    alone = entry("a", [clip(0, BYSTANDER)])
    assert tracks(agreed([alone, FAKE], 1)) == [[0], [3]]


def test_videos_of_other_originals_are_untouched():
    other = entry("c", [clip(0, PERSON), clip(1, BYSTANDER)])
    assert agreed([other, FAKE], 1)[0] == other
