"""A hook of MkDocs: what lies beside docs/ is in the site too, and links lead there.

    make docs

README.md is its first page, CONTRIBUTING.md, SECURITY.md and CHANGELOG.md have one each, and a notebook is a
page of its text and code.
"""

from __future__ import annotations

import json
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
BESIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "SECURITY.md": "SECURITY.md",
    "CHANGELOG.md": "CHANGELOG.md",
}
"""By file of the repository: its page."""
LINK = re.compile(r"\]\((?P<target>[^)#:]+)(?P<anchor>#[^)]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that no file of docs/ is."""
    for source, page in BESIDE.items():
        content = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=content))
    for notebook in sorted(Path(config.docs_dir).glob("notebooks/*.ipynb")):
        content = as_markdown(notebook.read_text(encoding="utf-8"), notebook.name)
        files.append(File.generated(config, f"notebooks/{notebook.stem}.md", content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links between files of the repository become links between pages."""
    at = page.file.src_uri
    source = {page: source for source, page in BESIDE.items()}.get(at, f"docs/{at}")

    def moved(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link["target"]))
        to = BESIDE.get(target, target.removeprefix("docs/"))
        return f"]({posixpath.relpath(to, posixpath.dirname(at) or '.')}{link['anchor'] or ''})"

    return LINK.sub(moved, markdown)


def as_markdown(notebook: str, name: str) -> str:
    """A notebook's text and code, with a link to its file."""
    parts = []
    for cell in json.loads(notebook)["cells"]:
        text = "".join(cell["source"])
        parts.append(f"```python\n{text}\n```" if cell["cell_type"] == "code" else text)
    heading, *rest = parts
    return "\n\n".join([heading, f"[The notebook itself]({name})", *rest]) + "\n"
