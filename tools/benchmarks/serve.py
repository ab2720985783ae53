"""Loads and hurts a running `serve` on loopback: many submissions, kill -9 in the middle, hostile uploads.

    python tools/benchmarks/serve.py --checkpoint FILE --video FILE [--submissions 50] [--concurrency 10]

Starts its own service on a free port with a temporary folder, submits the same video many times, kills the
service with SIGKILL once a third of the jobs has ended, starts it again, and waits. Prints what was lost (it
should be nothing), then the answer to each hostile upload. Exit code 0 if nothing was lost and every hostile
upload got its 4xx.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av

HEADERS = {"Content-Type": "application/octet-stream"}
JOBS = "/api/v1/jobs"


class Service:
    """One `serve` process on a free port."""

    def __init__(self, checkpoint: Path, folder: Path, limits: list[str]):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        arguments = ["--checkpoint", checkpoint, "--port", self.port, "--folder", folder, "--clips", "2"]
        arguments += [word for limit in limits for word in ("--limit", limit)]
        self._command = [sys.executable, "-m", "deepfake_ssat", "serve", *map(str, arguments)]
        self.start()

    def start(self) -> None:
        """Starts it and waits until it answers."""
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        for _ in range(300):
            try:
                self.ask("GET", "/health")
            except OSError:
                time.sleep(0.2)
            else:
                return
        raise SystemExit("the service did not start")

    def kill(self) -> None:
        """SIGKILL: no chance to tidy up."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def ask(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None):
        """(status, decoded JSON) of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body, headers or {})  # pyright: ignore[reportArgumentType]
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        finally:
            connection.close()

    def states(self, ids: list[str]) -> Counter:
        """How many of the jobs are in which state; ``lost`` for those that are not known."""
        answers = [self.ask("GET", f"{JOBS}/{job_id}") for job_id in ids]
        return Counter(answer["state"] if status == 200 else "lost" for status, answer in answers)


def main() -> int:
    """Runs all three parts; the exit code says whether anything was lost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--submissions", type=int, default=50)
    parser.add_argument("--concurrency", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        service = Service(options.checkpoint, Path(folder), ["upload_megabytes=20", "job_seconds=300"])
        try:
            kept = load(service, options.video.read_bytes(), options.submissions, options.concurrency)
            refused = hurt(service, options.video.read_bytes())
        finally:
            service.kill()
    return 0 if kept and refused else 1


def load(service: Service, video: bytes, submissions: int, concurrency: int) -> bool:
    """Submits, kills, restarts, waits; whether every accepted job was done in the end."""
    started = time.monotonic()

    def submit(number: int) -> tuple[int, dict]:
        return service.ask("POST", f"{JOBS}?name=video{number}.mp4", video, HEADERS)

    with ThreadPoolExecutor(concurrency) as pool:
        answers = list(pool.map(submit, range(submissions)))
    ids = [answer["id"] for status, answer in answers if status == 202]
    print(f"{submissions} submissions at concurrency {concurrency}: {len(ids)} accepted", end=", ")
    print(f"others {Counter(status for status, _ in answers if status != 202) or 'none'}")
    while service.states(ids)["done"] < len(ids) // 3:
        time.sleep(1)
    before = service.states(ids)
    service.kill()
    service.start()
    print(f"before kill -9: {dict(before)}; after the restart: {dict(service.states(ids))}")
    while (states := service.states(ids))["queued"] + states["running"]:
        time.sleep(1)
    print(f"in the end: {dict(states)}, {time.monotonic() - started:.0f} s")
    return states["done"] == submissions


def hurt(service: Service, video: bytes) -> bool:
    """Sends what should be refused; whether every answer was a 4xx and the service still lives."""
    uploads = {
        "empty": (b"", HEADERS),
        "text": (b"just text " * 100, HEADERS),
        "zeros": (bytes(100_000), HEADERS),
        "random bytes": (os.urandom(100_000), HEADERS),
        "HTML with a script": (b"<html><script>alert(1)</script></html>", HEADERS),
        "zip": (b"PK\x03\x04" + bytes(1000), HEADERS),
        "cut after a quarter": (video[: len(video) // 4], HEADERS),
        "only the first kilobyte": (video[:1000], HEADERS),
        "playlist that names a file": (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", HEADERS),
        "concat list": (b"ffconcat version 1.0\nfile /etc/passwd\n", HEADERS),
        "wrong content type": (video, {"Content-Type": "text/plain"}),
        "announced as 10 GB": (b"x", {**HEADERS, "Content-Length": str(10**10)}),
        "over the limit without an end": (endless(), HEADERS),
        "a small file with huge frames": (huge_frames(), HEADERS),
    }
    well = True
    for name, (body, headers) in uploads.items():
        try:
            status, answer = service.ask("POST", f"{JOBS}?name=../../etc/passwd", body, headers)
        except OSError as error:
            status, answer = 0, {"error": f"connection closed ({error})"}
        print(f"{name:32} {status} {answer.get('error', answer)}")
        # A body that is cut off before it ends may close the connection before the answer is read.
        well &= 400 <= status < 500 or (status == 0 and name.startswith(("over", "announced")))
    alive, _ = service.ask("GET", "/health")
    print(f"afterwards the service answers {alive}")
    return well and alive == 200


def huge_frames() -> bytes:
    """A video of one grey frame of 8000 x 6000 pixels: kilobytes that become 72 MB when decoded."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 8000, 6000, "yuv420p"
        frame = av.VideoFrame(8000, 6000, "yuv420p")
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def endless():
    """A body of 200 MB in chunks."""
    for _ in range(3200):
        yield bytes(65_536)


if __name__ == "__main__":
    raise SystemExit(main())
