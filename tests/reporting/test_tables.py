"""One table for the terminal, Markdown and programs: nothing is cut, nothing is obeyed, gaps are told."""

import csv
import io

from rich.console import Console
from rich.text import Text

from deepfake_ssat.records import Estimate
from deepfake_ssat.reporting.tables import Table, absences, csv_table, markdown, percent, show_tables

NAME = "a_name_that_is_rather_long_for_a_narrow_terminal"
TABLE = Table("Title", ("name", "AUC", "n"), [(NAME, "62.5 [30.6, 86.3]", "7"), (Text("b|c"), "–", "8")])


def printed(width, table=TABLE, notes=()):
    text = io.StringIO()
    show_tables(Console(file=text, width=width, highlight=False), [table], notes)
    return text.getvalue()


def test_names_fold_before_figures():
    text = printed(50)
    assert max(map(len, text.splitlines())) <= 50
    assert "62.5 [30.6, 86.3]" in text
    assert NAME in "".join(text.replace("62.5 [30.6, 86.3]", "").replace(" 7", "").split())


def test_nothing_is_lost_where_figures_do_not_fit():
    letters = "".join(printed(24).split())
    assert "…" not in letters
    assert all(part in letters for part in ("[30.6,", "86.3]", "62.5", "n"))


def test_brackets_are_no_markup():
    text = printed(80, Table("[b]T", ("[i]h",), [("[red]x",)]), ["[blink]note"])
    assert all(part in text for part in ("[b]T", "[red]x", "[blink]note"))


def test_markdown_escapes_bars_and_aligns_figures_to_the_right():
    assert markdown("Page", [TABLE], ["a note"]).decode().splitlines() == [
        "# Page",
        "",
        "## Title",
        "",
        "| name | AUC | n |",
        "| :-- | --: | --: |",
        f"| {NAME} | 62.5 [30.6, 86.3] | 7 |",
        "| b\\|c | – | 8 |",
        "",
        "- a note",
    ]


def test_csv_has_its_header_without_rows_and_empty_fields_for_none():
    assert csv_table(("a", "b"), []) == b"a,b\n"
    rows = [{"a": None, "b": 0.1, "else": 3}, {"b": 'x,"y"\n'}]
    read = list(csv.DictReader(io.StringIO(csv_table(("a", "b"), rows).decode(), newline="")))
    assert read == [{"a": "", "b": "0.1"}, {"a": "", "b": 'x,"y"\n'}]


def test_csv_keeps_the_bytes_of_a_name_that_is_not_utf8():
    assert csv_table(("path",), [{"path": "caf\udce9.mp4"}]) == b"path\ncaf\xe9.mp4\n"


def test_estimates_are_percent_with_their_interval():
    assert percent(Estimate(0.625, 0.306, 0.863)) == "62.5 [30.6, 86.3]"
    assert percent(Estimate(0.625, 0.306, 0.863), interval=False) == "62.5"
    assert percent(Estimate(0.625)) == "62.5"
    assert percent(Estimate(None, note="too few")) == percent(None) == "–"


def test_gaps_of_one_reason_are_one_line_that_names_whom_it_concerns():
    few, none = Estimate(0.5, note="too few"), Estimate(None, note="one class")
    good = Estimate(0.5, 0.4, 0.6)
    cells = [(name, metric, few) for metric in ("AUC", "AP") for name in "abcd"]
    cells += [("a", "EER", none), ("b", "EER", none), ("c", "EER", good), ("d", "EER", good)]
    assert absences(cells) == ["interval of AUC, AP: too few", "– EER (a, b): one class"]
    many = [(str(number), "AUC", few if number else good) for number in range(6)]
    assert absences(many) == ["interval of AUC (1, 2, 3 and 2 more): too few"]
