"""Makes tiny corpus folders of empty files: an index looks at names, never into videos."""

from __future__ import annotations

import json
from pathlib import Path


def touch(root: Path, *names: str) -> Path:
    """Empty files below the root, folders included."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def write_json(path: Path, values: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))


def by_id(index) -> dict:
    return {video.video_id: video for video in index.videos}


def reasons(index) -> dict[str, str]:
    return {item.name: item.reason for item in index.left_out}
