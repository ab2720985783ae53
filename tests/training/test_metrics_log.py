import csv

from deepfake_ssat.config import ObjectiveSettings
from deepfake_ssat.training.metrics_log import MetricsLog, columns_for

COLUMNS = ("step", "epoch", "loss", "val_loss")


def rows(file):
    with file.open() as stream:
        return list(csv.DictReader(stream))


def test_rows_have_the_columns_that_they_fill(tmp_path):
    log = MetricsLog(tmp_path / "m.csv", COLUMNS, first_step=0)
    log.write(1, 1, {"loss": 0.5})
    log.write(1, 1, {"val_loss": 0.25})
    log.close()
    assert rows(tmp_path / "m.csv") == [
        {"step": "1", "epoch": "1", "loss": "0.5", "val_loss": ""},
        {"step": "1", "epoch": "1", "loss": "", "val_loss": "0.25"},
    ]


def test_rows_after_the_resume_point_are_taken_back(tmp_path):
    file = tmp_path / "m.csv"
    log = MetricsLog(file, COLUMNS, first_step=0)
    for step in range(1, 6):
        log.write(step, 1, {"loss": step / 10})
    log.close()
    with file.open("a") as stream:
        stream.write("6,1,0.")  # A kill in the middle of a row.
    log = MetricsLog(file, COLUMNS, first_step=3)
    log.write(4, 1, {"loss": 0.4})
    log.close()
    assert [row["step"] for row in rows(file)] == ["1", "2", "3", "4"]


def test_rows_of_a_run_without_a_resume_point_begin_anew(tmp_path):
    file = tmp_path / "m.csv"
    for _ in range(2):
        log = MetricsLog(file, COLUMNS, first_step=0)
        log.write(1, 1, {"loss": 0.5})
        log.close()
    assert len(rows(file)) == 1


class Told:
    """A tracker that keeps what it is told."""

    def __init__(self):
        self.rows = []
        self.closed = False

    def write(self, step, values):
        self.rows.append((step, dict(values)))

    def close(self):
        self.closed = True


def test_trackers_get_the_same_numbers_in_two_groups(tmp_path):
    tracker = Told()
    log = MetricsLog(tmp_path / "m.csv", COLUMNS, first_step=0, trackers=[tracker])
    log.write(7, 1, {"loss": 0.5})
    log.write(7, 1, {"val_loss": 0.25})
    log.close()
    assert tracker.rows == [(7, {"training/loss": 0.5}), (7, {"validation/loss": 0.25})]
    assert tracker.closed


def objective(name):
    return ObjectiveSettings.model_validate({"name": name})


def test_columns_are_those_that_the_run_fills():
    assert "val_video_auc" in columns_for(objective("ssat"), faces=True, num_classes=2)
    assert "reconstruction_loss" not in columns_for(objective("scratch"), faces=True, num_classes=2)
    mae = columns_for(objective("mae"), faces=True, num_classes=2)
    assert "val_reconstruction_loss" in mae
    assert not {"classification_loss", "val_video_auc"} & set(mae)
    assert "val_image_auc" not in columns_for(objective("ssat"), faces=False, num_classes=10)
