"""The sheet of pseudo-fakes: every kind, from stored clips and from pictures."""

import sys

import cv2
import numpy as np
import pytest
import show_pseudo_fakes

from deepfake_ssat.config import PseudoFakeSettings
from tests.clips.faces import make_face_manifest, real_videos
from tests.portraits import portrait

KINDS = len(PseudoFakeSettings().weights())


def draw(monkeypatch, source, out, *words):
    monkeypatch.setattr(sys, "argv", ["show", str(source), "--out", str(out), *words])
    show_pseudo_fakes.main()
    return cv2.imread(str(out))


def cells(sheet, size, row):
    """The pictures of one row, in their columns' order."""
    top = show_pseudo_fakes.CAPTION_HEIGHT + row * (size + show_pseudo_fakes.GAP)
    width = size + show_pseudo_fakes.GAP
    count = (sheet.shape[1] - show_pseudo_fakes.NAME_WIDTH) // width
    lefts = [show_pseudo_fakes.NAME_WIDTH + column * width for column in range(count)]
    return [sheet[top : top + size, left : left + size].astype(int) for left in lefts]


def test_sheet_of_clips_shows_every_kind_over_time(tmp_path, monkeypatch, capsys):
    make_face_manifest(tmp_path / "faces", real_videos(4))
    words = ["--each", "1", "--frames", "4", "--size", "64"]
    sheet = draw(monkeypatch, tmp_path / "faces", tmp_path / "sheet.png", *words)
    assert f"{KINDS} examples written" in capsys.readouterr().out
    for row in range(KINDS):
        _, real, fake, difference, mask, *over_time = cells(sheet, 64, row)
        assert len(over_time) == show_pseudo_fakes.FRAMES_OVER_TIME
        np.testing.assert_array_equal(difference, np.minimum(3 * np.abs(fake - real), 255))
        assert difference.max() > 10
        # Nothing changes where nothing was replaced.
        assert not difference[mask == 0].any()


def test_sheet_of_photos(tmp_path, monkeypatch):
    for number in range(2):
        picture = np.clip(portrait(256).astype(int) + 20 * number, 0, 255).astype(np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    sheet = draw(monkeypatch, tmp_path, tmp_path / "out" / "sheet.png", "--each", "1", "--size", "96")
    assert sheet.shape[0] == show_pseudo_fakes.CAPTION_HEIGHT + KINDS * (96 + show_pseudo_fakes.GAP)


def test_folder_without_faces_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match="no genuine face found"):
        draw(monkeypatch, tmp_path, tmp_path / "sheet.png")
