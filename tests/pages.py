"""Runs the Python blocks of a page of the documentation, one after the other, as the cells of a notebook."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent / "docs"


def run_page(name: str, *headings: str, **names: Any) -> dict[str, Any]:
    """The names that the blocks left behind; paths in them are relative to the working folder.

    With headings only the blocks below these are run, after ``names`` that others would have left.
    """
    text = (DOCS / name).read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    chosen = "".join(sections[heading] for heading in headings) or text
    blocks = re.findall(r"^```python\n(.*?)^```$", chosen, re.MULTILINE | re.DOTALL)
    for number, block in enumerate(blocks, 1):
        exec(compile(block, f"{name}, block {number}", "exec"), names)
    return names
