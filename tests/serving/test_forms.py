import asyncio

import httpx
import pytest

from deepfake_ssat.serving.forms import first_file
from deepfake_ssat.serving.uploads import RefusedUploadError


def read(body, content_type, step, seconds=5.0):
    """(name, content) of the file in a form that arrives in pieces of ``step`` bytes."""

    async def pieces():
        for start in range(0, len(body), step):
            yield body[start : start + step]

    async def take():
        file = await first_file(pieces(), content_type, seconds)
        return file.name, b"".join([chunk async for chunk in file.chunks])

    return asyncio.run(take())


def form(**files):
    request = httpx.Request("POST", "http://localhost/", data={"note": "about it"}, files=files)
    return request.read(), request.headers["content-type"]


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_file_is_the_same_however_the_form_is_cut(step):
    content = bytes(range(256)) + b"\r\n--not the boundary\r\n" * 3
    body, content_type = form(file=("überall.mp4", content))
    assert read(body, content_type, step) == ("überall.mp4", content)


def test_other_fields_before_the_file_are_limited():
    body, content_type = form(long=(None, b"x" * 200_000), file=("a.mp4", b"video"))
    with pytest.raises(RefusedUploadError, match="does not come first"):
        read(body, content_type, 1000)


def test_form_without_a_boundary_is_refused():
    with pytest.raises(RefusedUploadError, match="names no boundary"):
        read(b"", "multipart/form-data", 10)


def test_form_with_an_endless_boundary_is_refused():
    with pytest.raises(RefusedUploadError, match="boundary is none"):
        read(b"", "multipart/form-data; boundary=" + "x" * 5000, 10)


def test_form_that_never_comes_to_its_file_is_given_up():
    async def silence():
        await asyncio.sleep(60)
        yield b""

    with pytest.raises(RefusedUploadError, match=r"within 0\.05 seconds") as refused:
        asyncio.run(first_file(silence(), "multipart/form-data; boundary=x", 0.05))
    assert refused.value.status == 408


@pytest.mark.parametrize("behind", [{"note": (None, b"x" * 1_000_000)}, {}])
def test_form_that_goes_on_behind_its_file_is_cut_off(behind):
    body, content_type = form(file=("a.mp4", b"video"), **behind)
    taken = []

    async def pieces():
        for start in range(0, len(body), 1000):
            taken.append(start)
            yield body[start : start + 1000]
        for _ in range(1000 if not behind else 0):
            taken.append(None)
            yield bytes(1000)

    async def take():
        file = await first_file(pieces(), content_type, 5.0)
        return [chunk async for chunk in file.chunks]

    with pytest.raises(RefusedUploadError, match="goes on behind its file"):
        asyncio.run(take())
    assert len(taken) < 100
