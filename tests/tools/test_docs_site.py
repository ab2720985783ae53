"""The documentation as a site: it builds without a warning, and its links lead to pages."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import deepfake_ssat

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("mkdocstrings") is None:
        pytest.skip("the extra docs is not installed")
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    return out


def test_api_page_has_every_name_of_the_library():
    page = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^::: deepfake_ssat\.(\w+)$", page, re.MULTILINE))
    assert shown == set(deepfake_ssat.__all__) - {"__version__"}


@pytest.mark.slow
def test_links_of_files_beside_the_docs_lead_to_pages(site):
    start = (site / "index.html").read_text(encoding="utf-8")
    assert 'href="model_card.html"' in start
    assert 'href="docs/' not in start
    assert 'href="SECURITY.html"' in (site / "serve.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_pages_ask_no_other_server_for_anything(site):
    loaded = re.compile(r"""<(?:script|img|link|iframe)[^>]*(?:src|href)=["']?https?://""")
    asking = [page.name for page in site.rglob("*.html") if loaded.search(page.read_text(encoding="utf-8"))]
    assert asking == []


@pytest.mark.slow
def test_api_page_shows_signatures_and_docstrings(site):
    page = (site / "api.html").read_text(encoding="utf-8")
    assert 'id="deepfake_ssat.Detector.explain"' in page
    assert "Judges a file, several files" in page
