"""Addresses become files: limits, breaks, redirects and refusals, against a server of this machine."""

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from deepfake_ssat.errors import LinkError
from deepfake_ssat.video import download as downloading
from deepfake_ssat.video import transfer
from deepfake_ssat.video.download import WebPageError, check_link, download, is_link
from deepfake_ssat.video.linked_page import download_from_page

DATA = bytes(range(256)) * 4000


class Server(ThreadingHTTPServer):
    """Answers by the path's first part; remembers what it was asked for."""

    daemon_threads = True
    asked: list
    breaks = 0
    etag = '"first"'


class Answers(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range"), self.headers.get("If-Range")))
        getattr(self, f"answer_{self.path.strip('/').split('.')[0].split('/')[0]}")()

    def begin(self, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def answer_good(self):
        self.begin(Content_Type="video/mp4", Content_Length=str(len(DATA)))
        self.wfile.write(DATA)

    def answer_endless(self):
        self.begin(Content_Type="video/mp4")
        try:
            while True:
                self.wfile.write(DATA)
        except OSError:
            pass

    def answer_breaking(self):
        """Half of what is asked for, as often as ``breaks`` says; the rest where the file is the same."""
        start = 0
        if self.headers.get("If-Range") == self.server.etag:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        body = DATA[start:]
        headers = {"Content_Length": str(len(body)), "ETag": self.server.etag}
        if start:
            headers["Content_Range"] = f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"
        self.begin(206 if start else 200, **headers)
        if self.server.breaks > 0:
            self.server.breaks -= 1
            body = body[: len(body) // 2]
        self.wfile.write(body)
        self.close_connection = True

    def answer_changing(self):
        self.server.etag = f'"{len(self.server.asked)}"'
        self.answer_breaking()

    def answer_elsewhere(self):
        self.begin(206, Content_Length="3", Content_Range="bytes 7-9/10")
        self.wfile.write(b"abc")

    def answer_silent(self):
        self.server.quiet.wait(5)

    def answer_page(self):
        text = b'<html><title>x</title><body><video src="/good.mp4"></video></body></html>'
        self.begin(Content_Type="text/html; charset=utf-8", Content_Length=str(len(text)))
        self.wfile.write(text)

    def answer_bare(self):
        self.begin(Content_Type="text/html", Content_Length="6")
        self.wfile.write(b"<html>")

    def answer_json(self):
        self.begin(Content_Type="application/json", Content_Length="2")
        self.wfile.write(b"{}")

    def answer_empty(self):
        self.begin(Content_Type="video/mp4", Content_Length="0")

    def answer_file(self):
        self.begin(302, Location="file:///etc/hostname")

    def answer_ftp(self):
        self.begin(302, Location="ftp://localhost/video.mp4")

    def answer_moved(self):
        self.begin(302, Location="/good.mp4")

    def answer_circle(self):
        self.begin(302, Location="/circle")

    def do_HEAD(self):
        self.begin(200, Content_Type="text/html" if "page" in self.path else "video/mp4")

    def log_message(self, *_):
        pass

    def __getattr__(self, name):
        if name.startswith("answer_"):
            return lambda: self.send_error(404)
        raise AttributeError(name)


@contextmanager
def serving():
    server = Server(("127.0.0.1", 0), Answers)
    server.asked, server.quiet = [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.quiet.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def served(monkeypatch):
    monkeypatch.setattr(transfer, "PAUSE_SECONDS", 0.01)
    with serving() as found:
        yield found


def test_file_has_the_bytes_and_the_kind_of_the_address(served, tmp_path):
    for path, name in (("good.mov", "video.mov"), ("good", "video.mp4"), ("moved", "video.mp4")):
        folder = tmp_path / path
        folder.mkdir()
        file = download(f"{served[1]}/{path}", folder, 2)
        assert (file.name, file.read_bytes()) == (name, DATA)
        assert [each.name for each in folder.iterdir()] == [name]


def test_progress_is_told_in_megabytes(served, tmp_path):
    told = []

    @contextmanager
    def progress(doing, unit, total):
        told.append((doing, unit, total))
        yield lambda count=1, note="": told.append(count)

    download(f"{served[1]}/good.mp4", tmp_path, 2, progress)
    assert told[0] == ("downloading", "megabyte", 1)
    assert sum(told[1:]) == 1


def test_larger_than_allowed_is_refused_before_and_while_it_comes(served, tmp_path):
    for path in ("good.mp4", "endless.mp4"):
        with pytest.raises(LinkError, match=r"is larger than 0.5 MB; allow more with --max-download"):
            download(f"{served[1]}/{path}", tmp_path, 0.5)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 2_000_000


def test_break_is_taken_up_where_it_was(served, tmp_path):
    server, address = served
    server.breaks = 3
    assert download(f"{address}/breaking.mp4", tmp_path, 2).read_bytes() == DATA
    half = len(DATA) // 2
    assert [entry[1] for entry in server.asked] == [
        None,
        f"bytes={half}-",
        f"bytes={half + half // 2}-",
        f"bytes={half + half // 2 + half // 4}-",
    ]


def test_file_that_changed_meanwhile_comes_anew(served, tmp_path):
    server, address = served
    server.breaks = 2
    assert download(f"{address}/changing.mp4", tmp_path, 2).read_bytes() == DATA
    assert len(server.asked) == 3


def test_endless_breaks_end_in_one_line(served, tmp_path):
    server, address = served
    server.breaks = 99
    with pytest.raises(LinkError, match=r"broke off 5 times \(ended after \d+ of 1024000 bytes\); try again"):
        download(f"{address}/breaking.mp4", tmp_path, 2)


def test_server_that_says_nothing_is_left(served, tmp_path, monkeypatch):
    monkeypatch.setattr(downloading, "TIMEOUT_SECONDS", 0.2)
    with pytest.raises(LinkError, match=r"cannot be reached \(no answer within 0.2 seconds\)"):
        download(f"{served[1]}/silent.mp4", tmp_path, 2)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("absent.mp4", "the server answers 404 Not Found; check the address"),
        ("json", "is no video, the server says application/json"),
        ("empty.mp4", "gives an empty file"),
        ("file", r"leads to another address, which is refused: file:///etc/hostname: only http and https"),
        ("ftp", r"refused: ftp://localhost/video.mp4: only http and https"),
        ("circle", "the server answers 302"),
        ("elsewhere", "another part than the one asked for"),
    ],
)
def test_refusals_are_one_line(served, tmp_path, path, message):
    with pytest.raises(LinkError, match=message) as caught:
        download(f"{served[1]}/{path}", tmp_path, 2)
    assert "\n" not in str(caught.value)


def test_nobody_listening_is_one_line(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(LinkError, match=r"cannot be reached \(.*refused.*\); check address and network"):
        download(f"http://127.0.0.1:{port}/v.mp4", tmp_path, 2)


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "ftp://host/v.mp4", "data://x", "https://", "https://a b/v", "https://[x/v"),
        *("https://host:port/v.mp4", "https://name:secret@host/v.mp4", "http://höst/v.mp4", "https://h/a\nb"),
    ],
)
def test_what_is_no_http_address_is_refused(url):
    assert is_link(url)
    with pytest.raises(LinkError) as caught:
        check_link(url)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_page_is_no_video_without_the_extra(served, tmp_path, monkeypatch):
    with pytest.raises(WebPageError, match="is a web page"):
        download(f"{served[1]}/page", tmp_path, 2)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LinkError, match=r"is a web page; .* pip install 'deepfake-ssat\[links\]'"):
        download_from_page(f"{served[1]}/page", tmp_path, 2)


@pytest.mark.slow
def test_video_of_a_page_is_found(served, tmp_path):
    pytest.importorskip("yt_dlp", reason="needs the extra links")
    (tmp_path / "a").mkdir()
    file = download_from_page(f"{served[1]}/page", tmp_path / "a", 2)
    assert (file.name, file.read_bytes()) == ("video.mp4", DATA)
    (tmp_path / "b").mkdir()
    with pytest.raises(LinkError, match=r"its video is larger than 0.1 MB"):
        download_from_page(f"{served[1]}/page", tmp_path / "b", 0.1)
    (tmp_path / "c").mkdir()
    with pytest.raises(LinkError, match="shows no video that can be had") as caught:
        download_from_page(f"{served[1]}/bare", tmp_path / "c", 2)
    assert "\n" not in str(caught.value)
