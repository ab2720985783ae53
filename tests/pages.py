"""Runs the Python blocks of a page of the documentation, one after the other, as the cells of a notebook."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent / "docs"


def run_page(name: str) -> dict[str, Any]:
    """The names that the blocks left behind; paths in them are relative to the working folder."""
    names: dict[str, Any] = {}
    blocks = re.findall(r"^```python\n(.*?)^```$", (DOCS / name).read_text(), re.MULTILINE | re.DOTALL)
    for number, block in enumerate(blocks, 1):
        exec(compile(block, f"{name}, block {number}", "exec"), names)
    return names
