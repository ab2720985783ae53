"""Brings a video from an http(s) address into a file."""

from __future__ import annotations

import http.client
import mimetypes
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import quote, urlsplit

from deepfake_ssat.errors import LinkError
from deepfake_ssat.progress import Progress, silent
from deepfake_ssat.version import __version__
from deepfake_ssat.video.transfer import Answer, BreakError, bring

SCHEMES = ("http", "https")
CHUNK = 1 << 18
TIMEOUT_SECONDS = 30.0
"""Without a byte."""
PAGES = ("text/html", "application/xhtml+xml")
NO_VIDEO = re.compile(r"text/.*|audio/.*|application/(json|pdf|xml|zip|javascript)")
KEPT = "%/:?#[]@!$&'()*+,;=~"
"""Of an address; other letters are escaped."""
BREAKS = (http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError)
"""After these a download goes on where it stopped."""


class WebPageError(LinkError):
    """The address of a page, which may show a video and is none."""


def is_link(text: str) -> bool:
    """Whether it is an address rather than a path: ``https://…``, or another scheme that is refused then."""
    return "://" in text


def check_link(url: str) -> None:
    """Raises LinkError unless it is an http(s) address of a host, without a password."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise LinkError(f"{url}: is no address ({error}); give one such as https://host/video.mp4") from error
    if parts.scheme.lower() not in SCHEMES:
        raise LinkError(f"{url}: only http and https addresses are taken; give one, or a file")
    if not host or not host.isascii() or re.search(r"[\s\x00-\x1f]", url):
        raise LinkError(f"{url!r}: is no address; give one such as https://host/video.mp4")
    if parts.username is not None:
        raise LinkError(f"{host}: an address with a name or password would be in reports; leave it out")


def download(url: str, folder: Path, max_megabytes: float, progress: Progress = silent) -> Path:
    """The file that an http(s) address gives, as ``bring`` does.

    Raises LinkError, one line, for what cannot be had, is larger, or says that it is no video.
    """
    check_link(url)
    return bring(url, folder, max_megabytes, partial(_answer, url), progress)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to http and https only."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """Raises LinkError for any other address."""
        try:
            check_link(newurl)
        except LinkError as error:
            fp.close()
            raise LinkError(f"{req.full_url}: leads to another address, which is refused: {error}") from error
        return super().redirect_request(req, fp, code, msg, headers, newurl)

    def http_error_302(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any
    ) -> Any:
        """Before the library turns an address of another scheme into an error of its own words."""
        target = headers.get("Location", "")
        if is_link(target):
            self.redirect_request(req, fp, code, msg, headers, target)
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _opener() -> urllib.request.OpenerDirector:
    """Without the handlers of files, FTP and data, which a redirect could reach."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener


@contextmanager
def _answer(url: str, received: int, validator: str) -> Iterator[Answer]:
    """The server's answer: the rest where it is sure to be of the same file, else the whole."""
    with _open(url, received, validator) as response:
        start = _start(url, response, received)
        _check_kind(url, response.headers)
        yield Answer(
            read=partial(_read, response),
            start=start,
            total=_total(response, start),
            validator=_validator(response.headers),
            suffix=_suffix(url, response.headers),
        )


def _open(url: str, received: int, validator: str) -> http.client.HTTPResponse:
    headers = {"User-Agent": f"deepfake-ssat/{__version__}", "Accept-Encoding": "identity"}
    if received and validator:
        headers |= {"Range": f"bytes={received}-", "If-Range": validator}
    request = urllib.request.Request(quote(url, safe=KEPT), headers=headers)
    try:
        return _opener().open(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        with error:
            reason = " ".join(str(error.reason).split())
            raise LinkError(f"{url}: the server answers {error.code} {reason}; check the address") from error
    except urllib.error.URLError as error:
        raise BreakError(_in_words(error.reason)) from error
    except BREAKS as error:
        raise BreakError(_in_words(error)) from error


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read1(CHUNK)
    except BREAKS as error:
        raise BreakError(_in_words(error)) from error


def _start(url: str, response: http.client.HTTPResponse, received: int) -> int:
    """Where in the file the answer begins."""
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return 0
    if not response.headers.get("Content-Range", "").startswith(f"bytes {received}-"):
        raise LinkError(f"{url}: the server answers with another part than the one asked for; try again")
    return received


def _check_kind(url: str, headers: Message) -> None:
    kind = headers.get_content_type() if "Content-Type" in headers else ""
    if kind in PAGES:
        raise WebPageError(f"{url}: is a web page and no video; give the address of the video itself")
    if NO_VIDEO.fullmatch(kind):
        raise LinkError(f"{url}: is no video, the server says {kind}; give the address of a video")


def _total(response: http.client.HTTPResponse, received: int) -> int:
    """Bytes of the whole file; 0 where the server does not say."""
    length = response.headers.get("Content-Length", "")
    return received + int(length) if length.isdigit() else 0


def _validator(headers: Message) -> str:
    """What tells that the file is still the same; a weak tag does not."""
    tag = str(headers.get("ETag", ""))
    return tag if tag and not tag.startswith("W/") else str(headers.get("Last-Modified", ""))


def _suffix(url: str, headers: Message) -> str:
    """Of the address, else of the kind that the server names."""
    suffix = PurePosixPath(urlsplit(url).path).suffix.lower()
    if re.fullmatch(r"\.[a-z0-9]{2,5}", suffix):
        return suffix
    return mimetypes.guess_extension(headers.get_content_type()) or ""


def _in_words(error: object) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_SECONDS:g} seconds"
    if isinstance(error, ssl.SSLError):
        return f"no safe connection: {error.reason}"
    return str(error) or type(error).__name__
