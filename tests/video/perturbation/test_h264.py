"""Re-encoding: the frames that come back went through an H.264 encoder, each at its place."""

import av
import numpy as np
import pytest

from deepfake_ssat.video.perturbation import h264
from tests.portraits import portrait_frames
from tests.videos import coded_frames, read_code


def test_every_frame_comes_back_in_its_place():
    frames = coded_frames(70)
    coded = list(h264.reencode(frames, crf=35, fps=25))
    assert [read_code(picture) for picture in coded] == list(range(70))


class _Codecs:
    """In the place of ``av.CodecContext``: notes the packets that the decoder is given."""

    def __init__(self):
        self.packets = []

    def create(self, name, mode):
        context = av.CodecContext.create(name, mode)
        return _Recording(context, self.packets) if mode == "r" else context


class _Recording:
    def __init__(self, decoder, packets):
        self._decoder, self._packets = decoder, packets

    def decode(self, packet):
        self._packets.append(b"" if packet is None else bytes(packet))
        return self._decoder.decode(packet)


@pytest.fixture
def codecs(monkeypatch):
    recording = _Codecs()
    monkeypatch.setattr(h264, "CodecContext", recording)
    return recording


def test_packets_are_h264_and_shrink_as_the_factor_rises(codecs):
    sizes = {}
    for crf in (23, 43):
        codecs.packets.clear()
        list(h264.reencode(portrait_frames(8), crf, 25))
        assert codecs.packets[0].startswith(b"\0\0\0\1")
        assert b"x264" in codecs.packets[0]
        sizes[crf] = sum(map(len, codecs.packets))
    assert sizes[43] < sizes[23] / 3


def test_low_factor_keeps_the_picture_but_not_every_pixel():
    frames = np.stack(portrait_frames(4))
    coded = np.stack(list(h264.reencode(frames, 23, 25)))
    difference = np.abs(coded.astype(int) - frames)
    assert 0 < difference.mean() < 4


@pytest.mark.parametrize("size", [(64, 64), (65, 63), (1, 1)])
def test_odd_sides_and_single_frames_work(size):
    picture = np.full((*size, 3), (200, 60, 30), np.uint8)
    coded = list(h264.reencode([picture], 30, 29.97))
    assert len(coded) == 1
    assert coded[0].shape == picture.shape
    assert np.abs(coded[0].astype(int) - picture).max() < 12


def test_change_of_size_midway_keeps_order_and_sizes():
    frames = [*coded_frames(5), *coded_frames(5, (32, 48))]
    coded = list(h264.reencode(frames, 25, 25))
    assert [picture.shape for picture in coded] == [frame.shape for frame in frames]


def test_no_frame_gives_none():
    assert list(h264.reencode([], 25, 25)) == []
