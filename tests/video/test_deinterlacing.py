"""Frames of two fields become whole pictures; everything else about them stays."""

import numpy as np

from deepfake_ssat.video import open_video
from tests.videos import coded_frames, write_video

INTERLACED = {"x264-params": "interlaced=1", "qp": "10"}


def moving_bar(number, size=(96, 160)):
    picture = np.full((*size, 3), 40, np.uint8)
    picture[:, 4 * number : 4 * number + 24] = 220
    return picture


def woven(num_frames):
    """Frames whose odd rows were taken first, as libx264 says of them: (woven, what the odd rows saw)."""
    moments = [moving_bar(number) for number in range(2 * num_frames)]
    frames = []
    for first, second in zip(moments[::2], moments[1::2], strict=True):
        frame = second.copy()
        frame[1::2] = first[1::2]
        frames.append(frame)
    return frames, moments[::2]


def test_fields_are_made_whole_pictures(tmp_path):
    frames, moments = woven(14)
    path = write_video(tmp_path / "a.mp4", frames, options=INTERLACED)
    with open_video(path) as reader:
        shown = list(reader)
    assert [frame.index for frame in shown] == list(range(14))
    np.testing.assert_allclose([frame.seconds for frame in shown], np.arange(14) / 25, atol=1e-3)
    left, kept = (
        np.mean([np.abs(picture.astype(int) - moment).mean() for picture, moment in pairs])
        for pairs in (
            list(zip(frames, moments, strict=True)),
            [(frame.rgb(), moment) for frame, moment in zip(shown, moments, strict=True)],
        )
    )
    assert kept < 0.5 * left
    assert reader.warnings == ["interlaced video: it was deinterlaced"]


def test_colours_are_as_before(tmp_path):
    frames = coded_frames(6)
    plain = write_video(tmp_path / "a.mp4", frames, colorspace=1, color_range=1)
    flagged = write_video(tmp_path / "b.mp4", frames, colorspace=1, color_range=1, options=INTERLACED)
    with open_video(plain) as one, open_video(flagged) as other:
        for expected, frame in zip(one, other, strict=True):
            assert np.abs(expected.rgb()[34:, 2:-2].astype(int) - frame.rgb()[34:, 2:-2]).mean() < 3


def test_interlaced_file_that_changes_its_size_loses_no_frame(tmp_path):
    parts = []
    for number, size in enumerate([(64, 96), (96, 144)]):
        frames = coded_frames(20, size)
        parts.append(write_video(tmp_path / f"{number}.ts", frames, options={**INTERLACED, "bf": "0"}))
    path = tmp_path / "a.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    with open_video(path) as reader:
        indices = [frame.index for frame in reader]
    assert indices == list(range(40))
