"""Brings the video that a web page shows into a file, by yt-dlp (the extra ``links``)."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from deepfake_ssat.errors import LinkError, install
from deepfake_ssat.progress import NOT_KNOWN, Progress, silent
from deepfake_ssat.video.download import TIMEOUT_SECONDS
from deepfake_ssat.video.transfer import ATTEMPTS, MEGABYTE

ONE_FILE = "best/bestvideo"
"""Picture, with sound where the site has both in one file: nothing is put together."""


def download_from_page(url: str, folder: Path, max_megabytes: float, progress: Progress = silent) -> Path:
    """The page's one video, in ``folder``; raises LinkError where there is none, several, or a larger one."""
    if importlib.util.find_spec("yt_dlp") is None:
        raise LinkError(
            f"{url}: is a web page; give the address of the video itself, or "
            f"{install('links')}, which looks for videos in pages"
        )
    library = importlib.import_module("yt_dlp")
    with progress("downloading", "megabyte", NOT_KNOWN) as advance:
        shown = 0

        def note(state: dict[str, Any]) -> None:
            nonlocal shown
            received = state.get("downloaded_bytes") or 0
            if max(received, state.get("total_bytes") or 0) > max_megabytes * MEGABYTE:
                raise LinkError(
                    f"{url}: its video is larger than {max_megabytes:g} MB; allow more with --max-download"
                )
            advance(received // MEGABYTE - shown)
            shown = received // MEGABYTE

        options = {
            "format": ONE_FILE,
            "outtmpl": str(folder / "video.%(ext)s"),
            "progress_hooks": [note],
            "noplaylist": True,
            "playlist_items": "1:2",
            "socket_timeout": TIMEOUT_SECONDS,
            "retries": ATTEMPTS,
            "cachedir": False,
            "quiet": True,
            "no_warnings": True,
            "noprogress": True,
            "logger": _Silent(),
        }
        try:
            with library.YoutubeDL(options) as downloader:
                downloader.extract_info(url, download=True)
        except library.utils.YoutubeDLError as error:
            raise LinkError(f"{url}: shows no video that can be had ({_in_words(error)})") from error
    files = sorted(path for path in folder.iterdir() if path.suffix not in (".part", ".ytdl"))
    if len(files) != 1:
        raise LinkError(f"{url}: shows {len(files) or 'no'} videos; give the address of one")
    return files[0]


class _Silent:
    """Takes the words of yt-dlp; its errors are raised, too."""

    def debug(self, message: str) -> None: ...

    def warning(self, message: str) -> None: ...

    def error(self, message: str) -> None: ...


def _in_words(error: Exception) -> str:
    """Without colours and its prefix."""
    text = " ".join(str(getattr(error, "msg", "") or error).split())
    return text.removeprefix("ERROR: ").partition("; please report this issue")[0]
