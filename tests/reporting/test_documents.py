"""A report's files: whole, its JSON last, strict numbers, nothing left of an earlier report."""

import json

import pytest

from deepfake_ssat.reporting import documents
from deepfake_ssat.reporting.documents import document, json_text, write_files
from deepfake_ssat.version import __version__


def test_document_begins_with_the_versions_of_schema_and_program():
    values = json.loads(json_text(document("1.3", {"videos": [None]})))
    assert list(values) == ["schema_version", "program", "videos"]
    assert values["program"] == {"name": "deepfake-ssat", "version": __version__}
    assert values["videos"] == [None]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match="JSON"):
        json_text({"auc": value})


def test_what_json_has_no_word_for_is_a_bug_and_no_string(tmp_path):
    with pytest.raises(TypeError):
        json_text({"path": tmp_path})


def test_file_name_that_is_not_utf8_survives():
    assert json.loads(json_text({"path": "caf\udce9.mp4"})) == {"path": "caf\udce9.mp4"}


def test_files_are_written_in_order_and_those_of_an_earlier_report_go(tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr(documents, "write_file", lambda path, data: order.append((path.name, data)))
    (tmp_path / "roc.png").write_bytes(b"of an earlier run")
    names = write_files(tmp_path, {"roc.png": None, "table.md": b"t", "report.json": b"{}"})
    assert names == ["table.md", "report.json"]
    assert order == [("table.md", b"t"), ("report.json", b"{}")]
    assert not (tmp_path / "roc.png").exists()
