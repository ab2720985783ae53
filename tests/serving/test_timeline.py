import numpy as np
import pytest

from deepfake_ssat.models.decision import Decision
from deepfake_ssat.records import ClipScore, FaceClip, VideoMetadata
from deepfake_ssat.serving.timeline import Timeline


def metadata(turn=0, is_still=False):
    width, height = (100, 200) if turn in (90, 270) else (200, 100)
    return VideoMetadata(25.0, 100, width, height, 0, "h264", 4.0, untagged_turn=turn, is_still=is_still)


def clip(start, box=(20.0, 10.0, 60.0, 50.0), track_id=1, frames=4):
    seconds = start + np.arange(frames) / 25
    pixels = np.zeros((frames, 8, 8, 3), np.uint8)
    landmarks = np.zeros((frames, 5, 2))
    made = FaceClip(pixels, np.arange(frames), seconds, track_id, np.tile(box, (frames, 1)), landmarks)
    return made, ClipScore(track_id, float(seconds[0]), float(seconds[-1]), 0.75)


def document(*clips, turn=0, left_out=()):
    timeline = Timeline()
    for made, score in clips:
        timeline.note(made, score)
    faces = {made.track_id for made, _ in clips} - set(left_out)
    return timeline.document(metadata(turn), Decision(threshold=0.6, uncertain_low=0.4), faces)


def test_boxes_are_parts_of_the_picture_and_clips_keep_their_scores():
    (face,) = document(clip(1.0))["faces"]
    assert face["track_id"] == 1
    assert face["boxes"][0] == [1.0, 0.1, 0.1, 0.3, 0.5]
    assert face["clips"] == [[1.0, 1.12, 0.75]]


def test_boxes_are_thinned_in_time_and_faces_kept_apart():
    first, second = document(clip(0.0, frames=50), clip(0.0, track_id=2))["faces"]
    seconds = [box[0] for box in first["boxes"]]
    assert seconds[:3] == [0.0, 0.12, 0.24]
    assert second["track_id"] == 2


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_box_lies_where_a_player_without_our_turn_shows_the_face(turn):
    # A picture with one marked corner, turned clockwise as the reader turns it; the box is around the mark.
    picture = np.zeros((100, 200), bool)
    picture[10:50, 20:60] = True
    turned = np.rot90(picture, -turn // 90)
    rows, columns = np.nonzero(turned)
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    (face,) = document(clip(0.0, tuple(map(float, box))), turn=turn)["faces"]
    assert face["boxes"][0][1:] == pytest.approx([0.1, 0.1, 0.3, 0.5])


def test_thresholds_are_told():
    told = document(clip(0.0))
    assert (told["uncertain_low"], told["threshold"]) == (0.4, 0.6)


def test_picture_is_said_to_be_one_and_has_its_boxes_at_second_0():
    timeline = Timeline()
    timeline.note(*clip(0.0, frames=1))
    drawn = timeline.document(metadata(is_still=True), Decision(), {1})
    assert drawn["is_still"] is True
    (face,) = drawn["faces"]
    assert face["boxes"] == [[0.0, 0.1, 0.1, 0.3, 0.5]]
    assert face["clips"] == [[0.0, 0.0, 0.75]]
    assert timeline.document(metadata(), Decision(), {1})["is_still"] is False


def test_track_that_is_left_out_of_the_verdict_is_not_drawn():
    (face,) = document(clip(0.0), clip(0.0, track_id=2), left_out=[2])["faces"]
    assert face["track_id"] == 1
