"""A running service: its API, and its page in a real browser where one is installed (Debian's chromium)."""

import base64
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import cv2
import pytest
import uvicorn

from deepfake_ssat.serving.app import create_app
from deepfake_ssat.serving.service import ServiceSettings
from tests.inference.scripted import CONTRACT, write_checkpoint
from tests.portraits import portrait_frames
from tests.videos import write_video

BROWSER = shutil.which("chromium")
PUT_INTO_HAND = """(text) => {
  const held = new DataTransfer();
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  held.items.add(new File([bytes], "face.mp4", { type: "video/mp4" }));
  return held;
}"""
IS_DRAWN = """() => {
  const canvas = document.querySelector("canvas");
  if (!canvas || !canvas.width || !canvas.height) return false;
  return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean);
}"""
OFFLINE = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A running service with a tiny model."""
    folder = tmp_path_factory.mktemp("service")
    checkpoint = write_checkpoint(folder / "tiny.safetensors")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["serve", "--checkpoint", checkpoint, "--port", port, "--folder", folder / "jobs"]
    with subprocess.Popen([sys.executable, "-m", "deepfake_ssat", *map(str, command)]) as server:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{address}/health").close()
                break
            except OSError:
                time.sleep(0.2)
        yield address
        server.terminate()


def ask(address, body=None, kind="video/mp4"):
    request = urllib.request.Request(address, body, {"Content-Type": kind})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


@pytest.mark.slow
def test_service_checks_its_weights_and_judges_a_real_face(address, tmp_path):
    assert ask(f"{address}/api/v1/model")["contract"]["frames"] == CONTRACT.frames
    video = write_video(tmp_path / "face.mp4", portrait_frames(20))
    job = ask(f"{address}/api/v1/jobs?name=face.mp4", video.read_bytes())
    deadline = time.monotonic() + 120
    while job["state"] in ("queued", "running") and time.monotonic() < deadline:
        time.sleep(0.2)
        (job,) = ask(f"{address}/api/v1/jobs?id={job['id']}")
    assert job["state"] == "done"
    (judged,) = ask(address + job["result"])["videos"]
    assert (judged["path"], judged["status"]) == ("face.mp4", "scored")
    assert ask(f"{address}/health")["status"] == "ok"


@pytest.fixture(scope="module")
def pretending_address(tmp_path_factory):
    """A service whose analysis only pretends, and takes no time."""
    settings = ServiceSettings(
        tmp_path_factory.mktemp("pretending"),
        analysis_options=["0"],
        analysis_module="tests.serving.fake_analysis",
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(timeout=20)


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium that asks nobody for anything."""
    if BROWSER is None:
        pytest.skip("no chromium: apt-get install chromium")
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=OFFLINE.split())
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("faces") / "face.mp4", portrait_frames(60))


@pytest.fixture
def tab(browser):
    """One tab of a browser that has no jobs yet; nothing may be written to its console."""
    context = browser.new_context()
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    problems = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert problems == []


def drop(page, place, video):
    text = base64.b64encode(video.read_bytes()).decode()
    page.dispatch_event(place, "drop", {"dataTransfer": page.evaluate_handle(PUT_INTO_HAND, text)})


def until(page, condition):
    """Waits for a function of the page, whose policy forbids the text that Playwright waits with."""
    deadline = time.monotonic() + 90
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(50)


def judged(page):
    """The newest job's element, once it has a verdict."""
    job = page.locator(".job").first
    job.locator(".state").filter(has_text="Probability of a fake").wait_for(timeout=90_000)
    return job


@pytest.mark.slow
def test_dropped_video_is_judged_reported_and_played_with_its_boxes(tab, address, video):
    tab.goto(address)
    # Beside the drop zone: a page that navigates to the dropped file loses everything.
    drop(tab, "footer", video)
    job = judged(tab)
    assert job.get_attribute("data-look") in ("real", "fake", "uncertain")
    with tab.context.expect_page() as opened:
        job.get_by_text("Open the report").click()
    report = opened.value
    report.wait_for_load_state()
    assert report.locator("h1").inner_text() == "face.mp4"
    job.get_by_text("Play with boxes").click()
    line = job.locator(".line")
    line.locator(".score").first.wait_for()
    line.click(position={"x": line.bounding_box()["width"] / 2, "y": 5})
    until(tab, "() => document.querySelector('video').currentTime > 0.5")
    until(tab, IS_DRAWN)
    assert "face" in job.locator(".now").inner_text()
    legend = [text.strip() for text in job.locator(".legend li").all_inner_texts()]
    assert legend[-3:] == ["fake", "uncertain", "real"]
    job.get_by_text("Heat maps of face").first.click()
    until(tab, "() => document.querySelector('figure img')?.naturalHeight > 300")
    assert "probability of a fake" in job.locator("figcaption").inner_text()
    assert job.get_by_text("Heat maps of face").first.is_disabled()
    before = tab.evaluate("() => document.querySelector('video').currentTime")
    line.press("ArrowLeft")
    until(tab, f"() => document.querySelector('video').currentTime < {before}")
    job.get_by_text("Close the player").click()
    assert tab.locator("video").count() == 0


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("faces") / "face.png"
    assert cv2.imwrite(str(path), portrait_frames(1)[0][..., ::-1])
    return path


@pytest.mark.slow
def test_picture_is_judged_and_told_to_be_one(address, picture):
    job = ask(f"{address}/api/v1/jobs?name=face.png", picture.read_bytes(), "image/png")
    deadline = time.monotonic() + 120
    while job["state"] in ("queued", "running") and time.monotonic() < deadline:
        time.sleep(0.2)
        (job,) = ask(f"{address}/api/v1/jobs?id={job['id']}")
    assert job["state"] == "done"
    (judged,) = ask(address + job["result"])["videos"]
    assert (judged["path"], judged["status"]) == ("face.png", "scored")
    drawn = ask(address + job["timeline"])
    assert drawn["is_still"]
    ((seconds, left, top, right, bottom),) = drawn["faces"][0]["boxes"]
    assert seconds == 0
    assert 0 <= left < right <= 1
    assert 0 <= top < bottom <= 1


@pytest.mark.slow
def test_picture_is_shown_with_its_boxes_in_place_of_a_player(tab, pretending_address, picture):
    tab.goto(pretending_address)
    tab.set_input_files("#files", str(picture))
    job = judged(tab)
    job.get_by_text("Show with boxes").click()
    until(tab, "() => document.querySelector('.picture img')?.naturalWidth > 0")
    until(tab, IS_DRAWN)
    assert tab.locator("video").count() == tab.locator(".line").count() == 0
    assert "probability of a fake: face 0 25 %" in job.locator("img").get_attribute("alt")
    job.get_by_text("Heat maps of face 0").click()
    until(tab, "() => document.querySelector('figure img')?.naturalWidth > 0")
    assert job.locator("figcaption").inner_text() == "Face 0: probability of a fake 25 %"
    job.get_by_text("Close the picture").click()
    assert tab.locator(".picture").count() == 0
    # The page no longer has the file after a refresh, and asks for it.
    tab.reload()
    with tab.expect_file_chooser() as asked:
        judged(tab).get_by_text("Show with boxes").click()
    asked.value.set_files(str(picture))
    until(tab, IS_DRAWN)


@pytest.mark.slow
def test_list_survives_a_refresh_is_shared_by_tabs_and_loses_what_is_deleted(tab, pretending_address, video):
    tab.goto(pretending_address)
    tab.set_input_files("#files", [str(video), str(video)])
    tab.locator(".job").nth(1).wait_for()
    judged(tab)
    tab.set_input_files("#files", str(video))
    tab.locator(".job").nth(2).wait_for()
    judged(tab)
    tab.reload()
    judged(tab)
    assert tab.locator(".job").count() == 3
    other = tab.context.new_page()
    other.goto(tab.url)
    judged(other)
    other.locator(".job").first.get_by_text("Delete").click()
    tab.locator(".job").nth(2).wait_for(state="detached")
    job = judged(tab)
    job.get_by_text("Copy link").click()
    link = tab.evaluate("navigator.clipboard.readText()")
    job.get_by_text("Delete").click()
    tab.locator(".job").nth(1).wait_for(state="detached")
    tab.locator(".job").first.get_by_text("Copy link").click()
    shared = tab.evaluate("navigator.clipboard.readText()")
    assert link != shared
    tab.evaluate("localStorage.clear()")
    tab.goto(shared)
    tab.reload()
    judged(tab)


@pytest.mark.slow
def test_refused_file_says_why_and_the_page_goes_on_asking_a_silent_service(
    browser, pretending_address, tmp_path
):
    text = tmp_path / "notes.mp4"
    text.write_text("no video")
    page = browser.new_page()
    page.goto(pretending_address)
    page.set_input_files("#files", str(text))
    page.locator(".job .state").filter(has_text="Not accepted").wait_for()
    page.route("**/api/v1/jobs*", lambda route: route.abort())
    page.evaluate('localStorage.setItem(\'deepfake-ssat-jobs\', \'[{"id": "0123", "name": "old.mp4"}]\')')
    page.reload()
    page.get_by_text("does not answer").wait_for()
    page.unroute("**/api/v1/jobs*")
    page.locator(".job .state").filter(has_text="expired").wait_for(timeout=30_000)
    page.locator("#problem").wait_for(state="hidden")
    page.close()
