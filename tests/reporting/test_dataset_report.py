"""The matrix of checkpoints and data sets: every cell with n, interval and its warnings."""

import csv
import io
import json

import pytest

from deepfake_ssat.protocols.dataset_matrix import DatasetMatrix, MatrixCell
from deepfake_ssat.reporting.dataset_report import files, heat_map, notes, tables
from deepfake_ssat.reporting.tables import markdown as page
from tests.reporting.evaluations import DROPPED, drawn_videos, make_report


def markdown(matrix):
    return page("Checkpoints on data sets", tables(matrix), notes(matrix)).decode()


@pytest.fixture(scope="module")
def matrix():
    reports = {
        ("ours", "ffpp"): make_report(drawn_videos(10), warnings=("2 videos were seen",)),
        ("ours", "dfdc"): make_report(drawn_videos(3, seed=1), dropped=(DROPPED,)),
    }
    cells = [MatrixCell(*names, report) for names, report in reports.items()]
    return DatasetMatrix(("ours",), ("ffpp", "dfdc"), tuple(cells))


def test_cells_have_value_interval_and_a_mark_for_warnings(matrix):
    area = matrix.cells[0].report.groups[0].video["auc"]
    text = markdown(matrix)
    assert f"| ours | {100 * area.value:.1f} [{100 * area.low:.1f}, {100 * area.high:.1f}] * |" in text
    assert "warning (*): ours on ffpp: 2 videos were seen" in text
    assert "| ours | 10 + 20 | 3 + 6 (1 dropped) |" in text


def test_missing_intervals_have_a_reason(matrix):
    assert "interval of video AUC (ours on dfdc): none with fewer than 5" in markdown(matrix)


def test_files_for_programs_agree(matrix):
    written = files(matrix)
    lines = list(csv.DictReader(io.StringIO(written["matrix.csv"].decode())))
    cells = json.loads(written["matrix.json"])["cells"]
    assert len(lines) == 2 * 3
    assert [cell["manifest"]["name"] for cell in cells] == ["ffpp", "dfdc"]
    found = {(line["data_set"], line["metric"]): line["value"] for line in lines}
    for cell in cells:
        value = cell["video"]["auc"]["value"]
        assert float(found[cell["manifest"]["name"], "auc"]) == value


@pytest.mark.slow
def test_heat_map_is_drawn_without_values_too(matrix):
    assert heat_map(matrix).startswith(b"\x89PNG")
    reals = [video for video in drawn_videos(5) if video.label == 0]
    empty = DatasetMatrix(("a",), ("b",), (MatrixCell("a", "b", make_report(reals)),))
    assert heat_map(empty).startswith(b"\x89PNG")
    assert "– video AUC: needs real and fake videos" in markdown(empty)
