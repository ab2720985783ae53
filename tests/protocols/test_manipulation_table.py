"""One table of all folds: means where every column is there, the paper's numbers where data are official."""

import csv
import io
import json

import numpy as np
import pytest

from deepfake_ssat.errors import ConfigError
from deepfake_ssat.protocols.manipulation_table import METRICS, manipulation_table
from deepfake_ssat.protocols.paper import TABLE_8
from deepfake_ssat.protocols.results import fold_json, read_fold
from deepfake_ssat.reporting.manipulation_report import files, notes, picture, tables
from deepfake_ssat.reporting.tables import markdown as page
from tests.protocols.fold_results import OFFICIAL, fold_result

METHOD = "video_ffpp_ssat_075"


@pytest.fixture(scope="module")
def official():
    return manipulation_table({METHOD: [fold_result(name) for name in OFFICIAL]})


def markdown(table):
    return page("Cross-manipulation", tables(table), notes(table)).decode()


def _lines(table):
    return list(csv.DictReader(io.StringIO(files(table)["table.csv"].decode())))


def test_mean_is_that_of_the_columns_and_its_interval_holds_it(official):
    row = official.rows[0]
    for metric in METRICS:
        mean = row.means[metric]
        assert mean.value == pytest.approx(
            np.mean([row.folds[name].metrics[metric].value for name in OFFICIAL])
        )
        assert mean.low < mean.value < mean.high


@pytest.mark.slow
def test_papers_numbers_stand_beside_official_data(official):
    text = markdown(official)
    assert "| paper: VideoMAE + SSAT, mask 0.75 | 96.75 | 80.65 | 91.40 | 72.76 | 85.39 |" in text
    assert "warning: " not in text
    papers = {line["held_out"]: line["paper_percent"] for line in _lines(official) if line["paper_percent"]}
    assert papers == {
        "Deepfakes": "96.75", "Face2Face": "80.65", "FaceSwap": "91.4", "NeuralTextures": "72.76",
        "mean": "85.39",
    }  # fmt: skip


@pytest.mark.slow
def test_papers_numbers_are_withheld_from_other_data_with_a_warning():
    folds = [fold_result(name, unofficial="split test has 3 of the official 140") for name in OFFICIAL]
    table = manipulation_table({METHOD: folds})
    text = markdown(table)
    assert "96.75" not in text
    assert f"warning: {METHOD}: not the data of the paper's Table 8 (split test has 3 of" in text
    assert all(line["paper_percent"] == "" for line in _lines(table))
    assert json.loads(files(table)["table.json"])["methods"][0]["paper"] is None


def test_numbers_of_videos_are_told(official):
    text = markdown(official)
    assert f"| {METHOD} | 10 + 10 (1 dropped) | 10 + 10 (1 dropped) |" in text


def test_missing_fold_has_no_value_and_no_mean():
    table = manipulation_table(
        {"a": [fold_result("Deepfakes"), fold_result("FaceSwap")], "b": [fold_result("Deepfakes")]}
    )
    incomplete = table.rows[1]
    assert incomplete.means["auc"].value is None
    text = markdown(table)
    assert "(b, mean): the mean needs every column, FaceSwap is missing" in text
    assert "not held out yet: Face2Face, NeuralTextures" in text
    assert table.rows[0].means["auc"].value is not None


def test_few_videos_have_values_without_intervals():
    table = manipulation_table({"a": [fold_result("Deepfakes", per_class=3)]})
    mean = table.rows[0].means["auc"]
    assert (mean.low, mean.high) == (None, None)
    assert mean.value == table.rows[0].folds["Deepfakes"].metrics["auc"].value
    assert "interval of video AUC" in markdown(table)


@pytest.mark.slow
def test_missing_threshold_leaves_its_metric_empty():
    table = manipulation_table({"a": [fold_result("Deepfakes", threshold=None)]})
    assert table.rows[0].means["accuracy_at_threshold"].value is None
    assert table.rows[0].means["accuracy_at_half"].value is not None
    assert picture(table).startswith(b"\x89PNG")


def test_same_warning_of_several_folds_is_one_line():
    folds = [fold_result(name, warnings=("too good",)) for name in ("Deepfakes", "FaceSwap")]
    assert "warning: a, Deepfakes, FaceSwap: too good" in markdown(manipulation_table({"a": folds}))


@pytest.mark.slow
def test_csv_has_a_line_for_every_method_column_and_metric(official):
    lines = _lines(official)
    assert len(lines) == len(METRICS) * (len(OFFICIAL) + 1)
    first = lines[0]
    assert (first["method"], first["held_out"], first["metric"]) == (METHOD, "Deepfakes", "auc")
    assert float(first["value"]) == official.rows[0].folds["Deepfakes"].metrics["auc"].value


@pytest.mark.slow
def test_picture_is_drawn_with_and_without_the_paper(official):
    assert picture(official).startswith(b"\x89PNG")
    several = {name: [fold_result(m, unofficial="few") for m in OFFICIAL[:2]] for name in ("a", "b", "c")}
    assert picture(manipulation_table(several)).startswith(b"\x89PNG")


def test_paper_rows_are_those_of_the_table():
    # Means over the four manipulations, worked out by hand from the printed table.
    means = {name: sum(row.accuracies) / 4 for name, row in TABLE_8.items()}
    assert means["video_ffpp_scratch"] == pytest.approx(75.60)
    assert means["video_ffpp_ssat_095"] == pytest.approx(85.65)
    assert max(means, key=lambda name: means[name]) == "video_ffpp_ssat_095"


def test_fold_survives_its_file(tmp_path):
    fold = fold_result("Deepfakes", warnings=("w",))
    file = tmp_path / "fold.json"
    file.write_text(fold_json(fold))
    assert read_fold(file) == fold


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": "9.0"}', '{"schema_version": "1.0"}'])
def test_damaged_fold_is_named(tmp_path, text):
    file = tmp_path / "fold.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match="cannot be read as a fold"):
        read_fold(file)
