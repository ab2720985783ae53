import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from deepfake_ssat.config.service import ServiceLimits
from deepfake_ssat.serving.uploads import RefusedUploadError, receive, shown_name

REPOSITORY = Path(__file__).parents[2]


async def endless(pause=0.0):
    while True:
        await asyncio.sleep(pause)
        yield b"\0" * 65536


def test_endless_upload_is_cut_off_at_the_limit(tmp_path):
    limits = ServiceLimits(upload_megabytes=1)
    with pytest.raises(RefusedUploadError, match="larger than 1 MB") as refusal:
        asyncio.run(receive(endless(), tmp_path / "video", limits))
    assert refusal.value.status == 413
    assert (tmp_path / "video").stat().st_size <= 1_000_000


def test_upload_that_trickles_is_cut_off_in_time(tmp_path):
    limits = ServiceLimits(upload_seconds=0.2)
    with pytest.raises(RefusedUploadError, match=r"longer than 0.2 seconds") as refusal:
        asyncio.run(receive(endless(pause=5), tmp_path / "video", limits))
    assert refusal.value.status == 408


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../a.mp4", "a.mp4"),
        ("C:\\x\\b.mp4", "b.mp4"),
        ("", "video"),
        ("\n\0", "video"),
        ("ü.mp4", "ü.mp4"),
    ],
)
def test_shown_name_is_the_last_printable_part(given, shown):
    assert shown_name(given) == shown


@pytest.mark.slow
def test_probe_of_an_upload_loads_the_decoder_alone():
    code = "import sys, deepfake_ssat.serving.probe; print({'av', 'pydantic', 'torch'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout == "{'av'}\n"
