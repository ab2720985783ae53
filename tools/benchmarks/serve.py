"""Loads and hurts a running `serve` on loopback: many submissions, kill -9 again and again, hostile uploads.

    python tools/benchmarks/serve.py --video FILE [--checkpoint FILE | --pretend] [--submissions 200]
        [--concurrency 20] [--killed-seconds 60]

Starts its own service on a free port with a temporary folder, submits the same video many times and as many
again as it takes, kills the service with SIGKILL every few seconds for a while and starts it again, and waits
for all jobs. Then hostile uploads, uploads that trickle in, and connections that never ask for anything.
Prints what was lost (it should be nothing), the answer to each hostile upload, and the memory of the service
alone and with its jobs' processes. With ``--pretend`` the jobs are empty: the service is measured, not the
analysis. Exit code 0 if nothing was lost, every hostile upload got its 4xx (what is left of a video that was
cut may also be taken) and the service is well in the end.
"""

from __future__ import annotations

import argparse
import http.client
import io
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import av

HEADERS = {"Content-Type": "application/octet-stream"}
JOBS = "/api/v1/jobs"
LIMITS = {"upload_megabytes": "20", "job_seconds": "300", "upload_seconds": "10"}
TRICKLES = 40
"""Of uploads that do not end; 16 are received at the same time."""
IDLE_CONNECTIONS = 1500
"""More than the 1,024 files that a process may usually have open."""
KILLED_EVERY = (2.0, 6.0)
"""Seconds."""
PRETENDING = """
import sys
import uvicorn
from pathlib import Path
from deepfake_ssat.config.service import parse_limits
from deepfake_ssat.serving.app import ServiceSettings, create_app
from deepfake_ssat.serving.connections import PromptProtocol
settings = ServiceSettings(
    Path(sys.argv[2]), parse_limits(sys.argv[3:]), analysis_module="tests.serving.fake_analysis"
)
uvicorn.run(create_app(settings), port=int(sys.argv[1]), log_level="warning", http=PromptProtocol)
"""
REPOSITORY = Path(__file__).parents[2]


def free_port() -> int:
    """Of this machine, at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Service:
    """One `serve` process on a free port."""

    def __init__(self, checkpoint: Path | None, folder: Path):
        """With pretended jobs where there is no checkpoint."""
        self.port = free_port()
        limits = [f"{name}={value}" for name, value in LIMITS.items()]
        if checkpoint is None:
            words = ["-c", PRETENDING, self.port, folder, *limits]
        else:
            words = ["-m", "deepfake_ssat", "serve", "--checkpoint", checkpoint, "--port", self.port]
            words += ["--folder", folder, "--clips", "2"]
            words += [word for limit in limits for word in ("--limit", limit)]
        self._command = [sys.executable, *map(str, words)]
        self.start()

    def start(self) -> None:
        """Starts it and waits until it answers."""
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, cwd=REPOSITORY)
        for _ in range(900):
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

    @property
    def megabytes(self) -> float:
        """Resident memory, now."""
        return self._memory("VmRSS:")

    @property
    def peak_megabytes(self) -> float:
        """Resident memory at its highest since it started."""
        return self._memory("VmHWM:")

    @property
    def megabytes_with_jobs(self) -> float:
        """Memory of the service and of its jobs' processes now; pages that they share count once."""
        return sum(map(proportional_megabytes, descendants(self.process.pid)))

    def _memory(self, name: str) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(status.partition(name)[2].split()[0]) / 1024

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


def descendants(process: int) -> Iterator[int]:
    """The process and all that it started, as far as they still live."""
    yield process
    for tasks in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):  # It ended meanwhile.
            for child in tasks.read_text(encoding="utf-8").split():
                yield from descendants(int(child))


def proportional_megabytes(process: int) -> float:
    """Its memory, of pages that several processes share its part; 0 if it has ended."""
    try:
        told = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    return int(told.partition("\nPss:")[2].split()[0]) / 1024


class Watched:
    """The memory of a service and its jobs, looked at twice a second while the block runs."""

    def __init__(self, service: Service):
        self.megabytes: list[float] = []
        self._service = service
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Watched:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            self.megabytes.append(self._service.megabytes_with_jobs)

    def __str__(self) -> str:
        third = max(1, len(self.megabytes) // 3)
        first, last = max(self.megabytes[:third]), max(self.megabytes[-third:])
        return (
            f"the service and its jobs: at most {first:.0f} MB in the first third, {last:.0f} MB in the last"
        )


def main() -> int:
    """Runs all parts; the exit code says whether anything was lost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    judged = parser.add_mutually_exclusive_group(required=True)
    judged.add_argument("--checkpoint", type=Path)
    judged.add_argument("--pretend", action="store_true")
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--submissions", type=int, default=200)
    parser.add_argument("--concurrency", type=int, default=20)
    parser.add_argument("--killed-seconds", type=float, default=60.0)
    options = parser.parse_args()
    video = options.video.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        service = Service(options.checkpoint, Path(folder))
        try:
            before = service.megabytes
            with Watched(service) as watched:
                kept = load(service, video, options.submissions, options.concurrency, options.killed_seconds)
            print(watched)
            refused = hurt(service, video)
            patient = stall(service, video)
            print(f"memory: {before:.0f} MB at first, {service.megabytes:.0f} MB after everything")
        finally:
            service.kill()
    return 0 if kept and refused and patient else 1


def load(service: Service, video: bytes, submissions: int, concurrency: int, killed_seconds: float) -> bool:
    """Submits, kills, restarts, waits; whether every accepted job was done in the end."""
    started = time.monotonic()
    answers: Counter[int] = Counter()

    def submit(number: int) -> str:
        while True:
            try:
                status, answer = service.ask("POST", f"{JOBS}?name=video{number}.mp4", video, HEADERS)
            except (OSError, http.client.HTTPException):
                status, answer = 0, {}
            answers[status] += 1
            if status == 202:
                return answer["id"]
            time.sleep(0.5)  # Full, or down: it is for the sender to try again.

    with ThreadPoolExecutor(concurrency) as pool:
        accepted = pool.map(submit, range(submissions))
        kills, peak, ends = 0, 0.0, time.monotonic() + killed_seconds
        while time.monotonic() < ends:
            time.sleep(random.uniform(*KILLED_EVERY))
            peak = max(peak, service.peak_megabytes)
            service.kill()
            service.start()
            kills += 1
        ids = list(accepted)
    told = ", ".join(f"{count} × {status or 'no answer'}" for status, count in sorted(answers.items()))
    print(f"{submissions} submissions at concurrency {concurrency}, killed {kills} times meanwhile: {told}")
    while (states := service.states(ids))["queued"] + states["running"]:
        time.sleep(1)
    peak = max(peak, service.peak_megabytes)
    print(f"in the end: {dict(states)}, {time.monotonic() - started:.0f} s; highest memory {peak:.0f} MB")
    return states["done"] == submissions


def stall(service: Service, video: bytes) -> bool:
    """Uploads that trickle in and connections that say nothing; whether others are served all the same."""
    head = f"POST {JOBS} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: video/mp4\r\nContent-Length: 100000\r\n"
    trickles = [_connection(service, f"{head}\r\n".encode()) for _ in range(TRICKLES)]
    idle = [_connection(service, b"GET /health HTT") for _ in range(IDLE_CONNECTIONS)]
    seconds = 0.0
    for seconds in itertools.count(1):
        for connection in trickles:
            with suppress(OSError):  # It was refused, and its connection closed.
                connection.send(b"x")
        time.sleep(1)
        try:
            status, _ = service.ask("POST", f"{JOBS}?name=honest.mp4", video, HEADERS)
        except OSError:
            status = 0
        if status == 202 or seconds > 120:
            break
    for connection in (*trickles, *idle):
        connection.close()
    health, _ = service.ask("GET", "/health")
    print(
        f"{TRICKLES} trickling uploads and {IDLE_CONNECTIONS} connections without a request: another's "
        f"upload was taken after {seconds} s; then the service answers {health}"
    )
    return status == 202 and health == 200


def _connection(service: Service, begun: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", service.port), timeout=30)
    connection.sendall(begun)
    return connection


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
        # A body cut off before its end may close the connection before the answer is read; what is left of a
        # video that was cut may be a video, if its index comes first.
        well &= (
            400 <= status < 500
            or (status == 0 and name.startswith(("over", "announced")))
            or (status == 202 and name.startswith("cut"))
        )
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
