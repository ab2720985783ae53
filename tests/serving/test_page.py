"""A running service: its API, and its page in a real browser where one is installed (Debian's chromium)."""

import base64
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

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


def ask(address, body=None):
    request = urllib.request.Request(address, body, {"Content-Type": "video/mp4"})
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


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no chromium: apt-get install chromium")
def test_dropped_video_shows_its_progress_and_its_report(address, tmp_path):
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    video = write_video(tmp_path / "face.mp4", portrait_frames(60))
    text = tmp_path / "notes.mp4"
    text.write_text("no video")
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=OFFLINE.split())
        page = browser.new_page()
        problems = []
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.goto(address)
        dropped = page.evaluate_handle(PUT_INTO_HAND, base64.b64encode(video.read_bytes()).decode())
        page.dispatch_event("#drop", "drop", {"dataTransfer": dropped})
        job = page.locator(".job").first
        sync.expect(job.locator(".state")).to_contain_text("probability of a fake", timeout=90_000)
        with page.context.expect_page() as opened:
            job.get_by_text("Open the report").click()
        report = opened.value
        report.wait_for_load_state()
        sync.expect(report.locator("h1")).to_have_text("face.mp4")
        sync.expect(report.locator("figure svg")).to_be_visible()
        assert problems == []
        page.set_input_files("#file", str(text))
        sync.expect(page.locator(".job").first.locator(".state")).to_contain_text("Not accepted")
        browser.close()
