"""The index of a folder of reports."""

import re

from deepfake_ssat.reporting.index_page import IndexRow, names_below, render_index


def record(path, verdict=None, probability=None):
    status = "scored" if verdict else "no_face"
    faces = [{}] if verdict else []
    return {
        "path": path,
        "status": status,
        "verdict": verdict,
        "probability": probability,
        "faces": faces,
        "warnings": [f"{path}: nobody there"],
    }


def test_names_are_what_tells_the_videos_apart():
    assert names_below(["/home/me/case/a/1.mp4", "/home/me/case/b/1.mp4"]) == ["a/1.mp4", "b/1.mp4"]
    assert names_below(["/home/me/1.mp4"]) == ["1.mp4"]
    assert names_below([]) == []


def test_index_counts_filters_and_keeps_names_whole():
    rows = [
        IndexRow(record("/x/a/long_name.mp4", "fake", 0.9), "a.html", "a.jpg"),
        IndexRow(record("/x/b/none.mp4"), "b.html", ""),
    ]
    page = render_index(rows, 3, "deepfake-ssat detect ...").decode()
    assert "1 scored, 1 without a score" in page
    assert "3 more are waiting" in page
    assert '<input type="radio" name="kind" value="fake"> Looks manipulated (1)' in page
    assert '<td data-sort="a/long_name.mp4"><a href="a.html">a/<wbr>long_name.mp4</a>' in page
    assert "<li>b/none.mp4: nobody there</li>" in page
    assert "/x/" not in page


def test_filters_begin_with_what_to_look_at_first():
    verdicts = [(None, None), ("real", 0.1), ("uncertain", 0.5), ("fake", 0.9)]
    rows = [IndexRow(record(f"{number}.mp4", *of), "x.html", "") for number, of in enumerate(verdicts)]
    page = render_index(rows, 0, "deepfake-ssat detect ...").decode()
    assert re.findall('name="kind" value="(.+?)"', page) == ["fake", "uncertain", "real", "no_face"]
