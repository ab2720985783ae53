"""Who lends a face to whom."""

from dataclasses import replace

import numpy as np
import pytest

from deepfake_ssat.clips.donors import NEAREST, Donors, pose
from deepfake_ssat.clips.landmarks import write_landmarks
from deepfake_ssat.config import ExtractionSettings
from tests.clips.faces import LANDMARKS
from tests.manifests import TinyVideo, tiny_row

CONTRACT = ExtractionSettings()


def _row(folder, name, identity, turned=0.0, frames=16):
    row = tiny_row(TinyVideo(name, 0, identities=(identity,)), 0, frames, CONTRACT)
    row = replace(row, group=identity)
    points = LANDMARKS * 224 + [[0, 0], [0, 0], [turned, 0], [0, 0], [0, 0]]
    (folder / row.clip_file).parent.mkdir(parents=True)
    write_landmarks(folder / row.clip_file, np.tile(points, (frames, 1, 1)))
    return row


def _drawn(donors, position, times=60):
    return {donors.draw(position, np.random.default_rng(seed)) for seed in range(times)}


def test_donor_is_another_person(tmp_path):
    rows = [_row(tmp_path, f"v{n}", f"person{n // 2}") for n in range(6)]
    donors = Donors(tmp_path, rows)
    for position in range(6):
        same = {position, position ^ 1}
        assert _drawn(donors, position) == set(range(6)) - same


def test_donors_of_similar_pose_come_first(tmp_path):
    rows = [_row(tmp_path, f"v{n}", f"p{n}", turned=40.0 * (n >= 20)) for n in range(40)]
    donors = Donors(tmp_path, rows)
    found = _drawn(donors, 0)
    assert max(found) < 20
    assert len(found) == NEAREST
    assert min(_drawn(donors, 30)) >= 20


def test_photos_go_with_photos(tmp_path):
    rows = [_row(tmp_path, f"v{n}", f"p{n}", frames=1 if n % 2 else 16) for n in range(6)]
    donors = Donors(tmp_path, rows)
    assert _drawn(donors, 1) == {3, 5}
    assert _drawn(donors, 0) == {2, 4}


def test_single_person_has_no_donor(tmp_path):
    donors = Donors(tmp_path, [_row(tmp_path, f"v{n}", "p") for n in range(2)])
    assert donors.draw(0, np.random.default_rng(0)) is None


@pytest.mark.parametrize(("angle", "scale"), [(0, 2.0), (30, 1.0), (-75, 0.3)])
def test_pose_is_that_of_the_face_not_of_the_picture(angle, scale):
    radians = np.radians(angle)
    turn = np.array([[np.cos(radians), -np.sin(radians)], [np.sin(radians), np.cos(radians)]])
    assert pose(LANDMARKS @ turn.T * scale + [3, -7]) == pytest.approx(pose(LANDMARKS))
    other = LANDMARKS + np.array([[0, 0], [0, 0], [0.05, 0], [0, 0], [0, 0]])
    assert np.abs(pose(other) - pose(LANDMARKS)).max() > 0.1
