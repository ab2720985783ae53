"""What the README promises of files and layers is true."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]


def layers_of(line):
    """The rooms that one line of the diagram or of the contract names."""
    return {name.strip() for name in line.split("|")}


def test_layer_diagram_is_the_contract_of_the_imports():
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    section = text.partition("## Layers")[2]
    drawn = [layers_of(re.split(r"\s{2,}", line)[0]) for line in section.split("```")[1].strip().splitlines()]
    contract = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8").partition("layers = [")[2]
    layers = re.findall(r'"([^"]+)"', contract.partition("]")[0])
    assert drawn == [layers_of(line) for line in layers if line != "__main__"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_configurations_and_tools_that_are_named_are_there(page):
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"\b((?:configs|tools)/[\w/]+\.(?:yaml|py))", text))
    assert [name for name in sorted(named) if not (REPOSITORY / name).exists()] == []
