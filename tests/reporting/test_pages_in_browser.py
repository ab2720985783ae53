"""The index of reports in a real browser, from a file, where one is installed (Debian's chromium)."""

import shutil

import pytest

from deepfake_ssat.commands.detect import run
from deepfake_ssat.reporting.index_page import IndexRow, render_index
from tests.inference.scripted import write_checkpoint
from tests.portraits import portrait_frames
from tests.videos import write_video

IS_OUT_OF_SIGHT = """() => {
  const zone = document.querySelector(".z-band");
  zone.style.width = "3%";
  const word = document.createRange();
  word.selectNodeContents(zone);
  return word.getBoundingClientRect().bottom > zone.getBoundingClientRect().bottom + 5
    && word.getClientRects()[0].top >= zone.getBoundingClientRect().bottom - 5;
}"""
BROWSER = shutil.which("chromium")
OFFLINE = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"


def row(name, verdict, probability):
    record = {
        "path": f"/case/{name}",
        "status": "scored" if verdict else "no_face",
        "verdict": verdict,
        "probability": probability,
        "faces": [],
        "warnings": [],
    }
    return IndexRow(record, f"{name}.html", "")


@pytest.fixture(scope="module")
def browser():
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if BROWSER is None:
        pytest.skip("no chromium: apt-get install chromium")
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=OFFLINE.split())
        yield browser
        browser.close()


@pytest.mark.slow
def test_index_sorts_filters_and_fits_a_phone(browser, tmp_path):
    rows = [
        row("b_" + "long_" * 20 + ".mp4", "real", 0.002),
        row("a.mp4", "fake", 0.9991),
        row("c.mp4", None, None),
        row("d.mp4", "fake", 0.7),
    ]
    (tmp_path / "index.html").write_bytes(render_index(rows, 0, "deepfake-ssat detect ..."))
    page = browser.new_page(viewport={"width": 375, "height": 800})
    page.goto((tmp_path / "index.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    probabilities = page.locator("tbody tr:visible td:nth-child(4)")
    page.get_by_role("button", name="Probability of a fake").click()
    assert probabilities.all_inner_texts() == ["", "<0.01", "0.70", ">0.99"]
    page.get_by_role("button", name="Probability of a fake").click()
    assert probabilities.all_inner_texts() == [">0.99", "0.70", "<0.01", ""]
    page.get_by_label("Looks manipulated (2)").check()
    assert probabilities.all_inner_texts() == [">0.99", "0.70"]
    page.get_by_label("all 4").check()
    assert probabilities.count() == 4


@pytest.mark.slow
@pytest.mark.parametrize(("media", "width"), [("screen", 1280), ("screen", 375), ("print", 680)])
def test_one_long_name_hides_no_verdict(browser, tmp_path, media, width):
    rows = [row("no_place_to_break_" * 7 + ".mp4", "real", 0.12), row("a.mp4", "fake", 0.93)]
    (tmp_path / "index.html").write_bytes(render_index(rows, 0, "deepfake-ssat detect ..."))
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.emulate_media(media=media)
    page.goto((tmp_path / "index.html").as_uri())
    for place in (3, 4):
        for cell in page.locator(f"tbody td:nth-child({place})").all():
            box = cell.bounding_box()
            assert box["x"] + box["width"] <= width
            assert cell.evaluate("cell => cell.scrollWidth <= cell.clientWidth")
    assert page.locator("#filter").is_visible() == (media == "screen")


@pytest.mark.slow
def test_report_cuts_no_word_of_the_bar_and_no_option_of_the_command(browser, tmp_path):
    video = write_video(tmp_path / "face.mp4", portrait_frames(20))
    checkpoint = write_checkpoint(tmp_path / "tiny.safetensors")
    run([video], checkpoint, report=tmp_path / "report.html", note="a case of many words " * 5, quiet=True)
    page = browser.new_page(viewport={"width": 680, "height": 800})
    page.goto((tmp_path / "report.html").as_uri())
    assert page.evaluate(IS_OUT_OF_SIGHT)
    page.emulate_media(media="print")
    for figure in page.locator(".frame").all():
        assert figure.evaluate("figure => figure.firstChild.clientWidth <= figure.clientWidth")
    words = page.locator("pre span")
    assert words.evaluate_all("words => words.every((word) => word.getBoundingClientRect().height < 30)")
    assert page.locator("pre").inner_text().endswith("--report report.html")
