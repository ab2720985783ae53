"""Where recordings were joined, found from time stamps alone, and how sound and pictures are put in line."""

from fractions import Fraction
from types import SimpleNamespace

from deepfake_ssat.video.survey import Run, StreamSurvey, _StreamLog
from deepfake_ssat.video.timeline import Timeline, make_timeline

TICK = Fraction(1, 1000)


def packet(milliseconds, duration=40, discard=False):
    return SimpleNamespace(
        pts=milliseconds, dts=milliseconds, duration=duration, size=1, is_discard=discard, stream_index=0
    )


def runs_of(stamps, joinable=True):
    stream = SimpleNamespace(index=0, type="video", time_base=TICK, average_rate=25)
    log = _StreamLog(stream, joinable)  # pyright: ignore[reportArgumentType]
    for position, milliseconds in enumerate(stamps):
        log.add(packet(milliseconds), position)  # pyright: ignore[reportArgumentType]
    return [(run.first_packet, run.start, run.end) for run in log.result.runs]


def test_growing_stamps_are_one_run():
    assert runs_of([0, 40, 80, 5000, 5040]) == [(0, 0.0, 5.08)]


def test_stamps_that_start_again_begin_a_run():
    assert runs_of([1000, 1100, 1200, 500, 600]) == [(0, 1.0, 1.24), (3, 0.5, 0.64)]


def test_one_damaged_stamp_begins_none():
    assert runs_of([1000, 1040, 20, 1120, 1160]) == [(0, 1.0, 1.2)]


def test_long_pause_is_a_join_only_where_the_format_can_be_joined():
    stamps = [0, 40, 80, 60_000, 60_040]
    assert len(runs_of(stamps)) == 2
    assert len(runs_of(stamps, joinable=False)) == 1


def container(start_seconds):
    return SimpleNamespace(start_time=round(start_seconds * 1_000_000))


def placed(timeline, index, stamps):
    clock = timeline.of(SimpleNamespace(index=index, time_base=TICK))
    seconds = []
    for milliseconds in stamps:
        moved = packet(milliseconds)
        clock.place(moved)
        seconds.append(round(clock.seconds(moved.pts), 3))
    return seconds


def test_time_begins_where_the_container_does():
    timeline = make_timeline(container(1.5), {0: StreamSurvey(0, 2, [Run(0, 0, 2.0, 2.08)])}, 0)
    assert placed(timeline, 0, [2000, 2040]) == [0.5, 0.54]


def test_joined_recordings_follow_each_other_in_sound_and_pictures():
    """The second begins when the first's sound has ended; in the file its own sound comes first."""
    picture = StreamSurvey(0, 4, [Run(0, 0, 1.0, 1.08), Run(2, 6, 5.0, 5.08)])
    sound = StreamSurvey(1, 4, [Run(0, 1, 1.0, 1.2), Run(2, 5, 4.9, 5.1)])
    timeline = make_timeline(container(1.0), {0: picture, 1: sound}, 0)
    assert placed(timeline, 0, [1000, 1040, 5000, 5040]) == [0.0, 0.04, 0.3, 0.34]
    assert placed(timeline, 1, [1000, 1100, 4900, 5000]) == [0.0, 0.1, 0.2, 0.3]


def test_sound_that_begins_in_the_second_recording_belongs_to_it():
    picture = StreamSurvey(0, 4, [Run(0, 0, 0.0, 0.08), Run(2, 2, 0.0, 0.08)])
    sound = StreamSurvey(1, 1, [Run(0, 3, 0.0, 0.1)])
    timeline = make_timeline(container(0.0), {0: picture, 1: sound}, 0)
    assert placed(timeline, 1, [0]) == [0.08]


def test_packets_beside_a_join_are_not_taken_for_damaged():
    timeline = Timeline(Fraction(0), {0: [(0, 0.0), (3, 0.12)]})
    clock = timeline.of(SimpleNamespace(index=0, time_base=TICK))  # pyright: ignore[reportArgumentType]
    stamps = []
    for milliseconds in (0, 40, 80, 0, 40):
        moved = packet(milliseconds)
        clock.place(moved)  # pyright: ignore[reportArgumentType]
        stamps.append(moved.pts)
    assert [clock.is_spliced(stamp) for stamp in stamps] == [False, True, True, True, False]
