"""Numbering of frames beside damage, and the wording of the one warning."""

from deepfake_ssat.video.damage import MOST_WAITING, DamageLog, DisplayOrder


def numbers(packet_times, frame_times, damaged):
    order = DisplayOrder()
    for time in packet_times:
        order.announce(time)
    return [order.number(time, damaged=damaged) for time in frame_times], order.num_lost


def test_frames_after_a_loss_keep_their_true_numbers():
    assert numbers([0, 30, 10, 20, 40], [0, 10, 40], damaged=True) == ([0, 1, 4], 2)


def test_varying_frame_times_leave_no_gap():
    assert numbers([0, 5, 100, 101], [0, 5, 100, 101], damaged=True) == ([0, 1, 2, 3], 0)


def test_frame_that_comes_after_its_turn_is_left_out():
    assert numbers([0, 10, 20], [0, 20, 10], damaged=True) == ([0, 2, None], 1)


def test_invisible_packets_of_an_undamaged_stream_are_no_loss():
    assert numbers([0, 9, 10, 19, 20], [0, 10, 20], damaged=False) == ([0, 1, 2], 0)


def test_frames_without_times_are_counted():
    assert numbers([], [None, None], damaged=True) == ([0, 1], 0)


def test_packets_that_never_become_frames_do_not_pile_up():
    order = DisplayOrder()
    for time in range(3 * MOST_WAITING):
        order.announce(time)
    assert len(order._waiting) == MOST_WAITING


def test_undamaged_video_has_no_summary():
    assert DamageLog().summary() is None


def test_summary_is_one_line_with_counts_place_and_cut():
    log = DamageLog(lost_frames=7)
    log.packet_failed(2.5)
    log.packet_failed(3.0)
    log.frame_flawed(3.5)
    summary = log.summary("the file ends at 4.00 s of 10.00 s announced")
    assert summary is not None
    assert "\n" not in summary
    for fact in (
        "2 packets",
        "7 frames were lost",
        "1 frames have flaws",
        "near 2.50 s",
        "4.00 s of 10.00 s",
    ):
        assert fact in summary
