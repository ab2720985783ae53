"""The index of a folder of reports."""

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
    assert (
        '<td data-sort="a/long_name.mp4"><a href="a.html"><span>a/</span><wbr><span>long_name.mp4</span></a>'
        in page
    )
    assert "overflow-wrap: anywhere" not in page.split("<body>")[1]
    assert "/x/" not in page
