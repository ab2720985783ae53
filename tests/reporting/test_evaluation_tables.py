"""The tables: narrow enough, nothing invented, every gap explained."""

import io

import pytest
from rich.console import Console

from deepfake_ssat.records import FAKE, REAL
from deepfake_ssat.reporting.evaluation_report import notes, tables
from deepfake_ssat.reporting.tables import markdown, show_tables
from tests.reporting.evaluations import DROPPED, drawn_videos, make_report, scored_video


def _printed(report, width=100):
    text = io.StringIO()
    show_tables(Console(file=text, width=width, highlight=False), tables(report), notes(report))
    return text.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("compressions", [("c23",), ("c23", "c40")])
def test_table_fits_100_columns_with_whole_numbers(compressions):
    report = make_report(drawn_videos(20, compressions))
    text = _printed(report)
    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text
    auc = report.groups[0].video["auc"]
    assert f"{100 * auc.value:.1f} [{100 * auc.low:.1f}, {100 * auc.high:.1f}]" in text


def test_manipulations_are_named_in_one_line():
    assert any(
        line.strip().startswith("NeuralTextures  ")
        for line in _printed(make_report(drawn_videos(20))).splitlines()
    )


def test_level_and_compression_are_named():
    text = _printed(make_report(drawn_videos(20)))
    assert "ffpp c23" in text
    assert "video AUC" in text
    assert "clip AUC" in text


def test_gap_is_a_dash_with_its_reason():
    videos = [scored_video(f"r{n}", REAL, [0.1 * n]) for n in range(4)]
    text = " ".join(_printed(make_report(videos)).split())
    assert "–" in text
    assert "nan" not in text
    assert (
        "video AUC, video AP, video EER, TPR@1%, TPR@5%, clip AUC, bal@0.5, bal@val: needs real and fake"
        in text
    )


def test_notes_name_what_made_the_figures():
    text = " ".join(
        _printed(make_report(drawn_videos(6), dropped=(DROPPED,), warnings=("look here",))).split()
    )
    assert "18 scored on 54 clips, 1 dropped (no_face 1; 0 real, 1 fake; see videos.csv)" in text
    assert "mean over a face's clips, max over a video's faces" in text
    assert "0.4700, stored in the checkpoint" in text
    assert "warning: look here" in text
    assert "best.safetensors, sha256 ab12cd34ab12cd34" in text
    assert "sha256 0123456789abcdef, splits test" in text
    assert "deepfake-ssat train configs/video_ssat.yaml (config sha256 fedcfedcfedcfedc" in text
    assert "command: deepfake-ssat evaluate best.safetensors clips --out out" in text


def test_markdown_has_every_interval_and_the_same_notes():
    report = make_report(drawn_videos(20), dropped=(DROPPED,))
    text = markdown("Evaluation", tables(report, every_interval=True), notes(report)).decode()
    loss = report.groups[0].video["log_loss"]
    assert f"{loss.value:.3f} [{loss.low:.3f}, {loss.high:.3f}]" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 * (2 + 3)
    assert len({line.count("|") for line in rows}) == 1
    assert "- command: " in text


def test_report_without_any_label_says_so():
    text = _printed(make_report([scored_video("u", None, [0.7])], threshold=None))
    assert "no labelled videos" in text


def test_brackets_in_names_are_no_markup():
    videos = [scored_video(f"v{n}", n % 2 and FAKE, [n / 30], "[red]x" if n % 2 else "") for n in range(20)]
    assert "[red]x" in _printed(make_report(videos))
