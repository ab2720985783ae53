"""Lists and tables as spreadsheets and editors save them: the same text whatever the encoding."""

import pytest

from deepfake_ssat.errors import TextError
from deepfake_ssat.text import lines_of, parse_json, read_own, read_table, read_text, table_text

TEXT = "path,label\nZoë/a.mp4,1\nb.mp4,0\n"
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_give_the_same_text(tmp_path, monkeypatch, encoding, newline):
    file = tmp_path / "list.csv"
    file.write_bytes(TEXT.replace("\n", newline).encode(encoding))
    assert read_text(file) == TEXT
    monkeypatch.setattr("deepfake_ssat.text.PIECE", 14)  # In the middle of the letter ë of UTF-8.
    with file.open("rb") as opened:
        assert list(lines_of(opened, file)) == [f"{line}{newline}" for line in TEXT.splitlines()]
    assert [row.values for row in read_table(file)] == [
        {"path": "Zoë/a.mp4", "label": "1"},
        {"path": "b.mp4", "label": "0"},
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separator_is_the_header_s(tmp_path, separator):
    file = tmp_path / "list.csv"
    file.write_text(f'path{separator} label \n"a{separator}b.mp4"{separator}1\n\nc.mp4\n')
    rows = read_table(file, required=("path", "label"))
    assert [(row.line, row.values) for row in rows] == [
        (2, {"path": f"a{separator}b.mp4", "label": "1"}),
        (4, {"path": "c.mp4", "label": ""}),
    ]


def test_what_is_no_text_is_named_with_the_remedy(tmp_path):
    file = tmp_path / "list.csv"
    for data in (b"\x89PNG\r\n\x1a\n\0\0\0", "a,b".encode("utf-16")[:-1], b"a\x81b"):
        file.write_bytes(data)
        with pytest.raises(TextError, match=r"list\.csv: is no text .* save it as UTF-8"):
            read_text(file)
        with pytest.raises(TextError, match=r"list\.csv: is no text .* save it as UTF-8"):
            read_table(file)


def test_absent_file_and_column_are_named(tmp_path):
    with pytest.raises(TextError, match=r"gone\.csv: cannot be read"):
        read_text(tmp_path / "gone.csv")
    (tmp_path / "list.csv").write_text("file,label\n")
    with pytest.raises(TextError, match="has no column 'path'; its first line must name path, label"):
        read_table(tmp_path / "list.csv", required=("path", "label"))


def test_value_with_a_bare_separator_is_named_with_its_line(tmp_path):
    (tmp_path / "list.csv").write_text("path,label\na.mp4,0\nb,c.mp4,1\n")
    with pytest.raises(TextError, match="line 3: has 3 values for 2 columns; put a value that holds"):
        read_table(tmp_path / "list.csv")


def test_line_ends_within_values_are_read_as_they_were_written(tmp_path):
    file = tmp_path / "list.csv"
    paths = ["new\nline.mp4", "return\r.mp4", "both\r\n.mp4", 'a "quoted", one.mp4']
    file.write_bytes(table_text(["path"], [{"path": path} for path in paths]).encode())
    assert [row.values["path"] for row in read_table(file)] == paths


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_json_that_is_nested_too_deep_is_damage(text):
    with pytest.raises(ValueError, match="nested too deep"):
        parse_json(text)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("run.json", '{"a": [', "Expecting value"),
        ("run.json", "[1]", "no key in it"),
        ("run.json", "3", "not iterable"),
        ("run.json", '{"a": 1}', "no key in it"),
        ("config.yaml", "{a: [", "while parsing"),
        ("config.yaml", "", "not iterable"),
    ],
)
def test_damage_to_what_was_written_here_is_one_line_with_a_remedy(tmp_path, name, text, reason):
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(TextError, match=rf"{name}: is damaged \(.*{reason}.*\); put the file back") as caught:
        read_own(file, "key")
    assert "\n" not in str(caught.value)


def test_what_was_written_here_is_read_as_its_name_says(tmp_path):
    (tmp_path / "run.json").write_text('{"key": null}')
    (tmp_path / "config.yaml").write_text("key: [1, yes]")
    assert read_own(tmp_path / "run.json", "key") == {"key": None}
    assert read_own(tmp_path / "config.yaml") == {"key": [1, True]}
