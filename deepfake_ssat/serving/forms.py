"""The one file of a multipart form, read as it arrives: a form is never held in memory or written twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from deepfake_ssat.serving.uploads import RefusedUploadError

HOW = "send one file, as curl -F file=@video.mp4 does"
MOST_BESIDE_FILE = 65536
"""Bytes of other fields that may come before the file, and after it."""


@dataclass(frozen=True)
class FormFile:
    """A file on its way."""

    name: str
    chunks: AsyncIterator[bytes]


async def first_file(body: AsyncIterator[bytes], content_type: str, seconds: float) -> FormFile:
    """Reads a form up to where its file begins, within so many seconds; other fields are not looked at.

    Raises RefusedUploadError where the form is broken or holds no file, and ``chunks`` where it holds two, is
    cut off, or goes on behind its file.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise RefusedUploadError(400, f"the form names no boundary; {HOW}")
    try:
        form = _Form(boundary)
    except FormParserError as error:
        raise RefusedUploadError(400, f"the form's boundary is none; {HOW}") from error
    try:
        name = await asyncio.wait_for(_read_to_file(form, body), seconds)
    except asyncio.TimeoutError:
        raise RefusedUploadError(408, f"no file came within {seconds:g} seconds; {HOW}") from None
    return FormFile(name, _file_chunks(form, body))


async def _read_to_file(form: _Form, body: AsyncIterator[bytes]) -> str:
    read = 0
    async for chunk in body:
        form.write(chunk)
        if form.name is not None:
            return form.name
        read += len(chunk)
        if read > MOST_BESIDE_FILE:
            raise RefusedUploadError(400, f"the form's file does not come first; {HOW}")
    raise RefusedUploadError(400, f"the form holds no file; {HOW}")


async def _file_chunks(form: _Form, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield form.take()
    behind = 0
    async for chunk in body:
        form.write(chunk)
        taken = form.take()
        behind = 0 if taken else behind + len(chunk)
        if behind > MOST_BESIDE_FILE:
            raise RefusedUploadError(400, f"the form goes on behind its file; {HOW}")
        yield taken
    if not form.is_complete:
        raise RefusedUploadError(400, f"the form ends within its file; {HOW}")


@dataclass
class _Form:
    """Keeps what belongs to the file of what a parser calls back with."""

    boundary: bytes
    name: str | None = None
    """Of the file, as soon as it has begun."""
    is_complete: bool = False
    """Whether the form ended as forms end."""
    _taken: list[bytes] = field(default_factory=list)
    _header: list[bytes] = field(default_factory=lambda: [b"", b""])
    _part_name: str | None = None
    """File name of the part that is being read; None for an ordinary field."""

    def __post_init__(self) -> None:
        self._parser = MultipartParser(
            self.boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._add_header(0, data[start:end]),
                "on_header_value": lambda data, start, end: self._add_header(1, data[start:end]),
                "on_header_end": self._read_header,
                "on_headers_finished": self._start_part,
                "on_part_data": self._add,
                "on_end": self._end,
            },
        )

    def write(self, chunk: bytes) -> None:
        """More of the body."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise RefusedUploadError(400, f"the form is broken; {HOW}") from error

    def take(self) -> bytes:
        """What has come of the file since the last time."""
        taken = b"".join(self._taken)
        self._taken.clear()
        return taken

    def _begin(self) -> None:
        self._part_name = None

    def _add_header(self, part: int, data: bytes) -> None:
        self._header[part] += data

    def _read_header(self) -> None:
        if self._header[0].lower() == b"content-disposition":
            name = parse_options_header(self._header[1])[1].get(b"filename")
            self._part_name = None if name is None else name.decode("utf-8", errors="replace")
        self._header = [b"", b""]

    def _start_part(self) -> None:
        if self._part_name is None:
            return
        if self.name is not None:
            raise RefusedUploadError(400, f"the form holds more than one file; {HOW}")
        self.name = self._part_name

    def _add(self, data: bytes, start: int, end: int) -> None:
        if self._part_name is not None:
            self._taken.append(data[start:end])

    def _end(self) -> None:
        self.is_complete = True
