"""What the package imports is declared: a module that another library happens to bring may go with it."""

import ast
import re
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
OTHER_NAMES = {"cv2": "opencv-python-headless", "PIL": "pillow", "sklearn": "scikit-learn", "yaml": "pyyaml"}
"""Modules whose distribution is called otherwise."""


def _imported_modules() -> set[str]:
    modules = set()
    for file in (ROOT / "deepfake_ssat").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.partition(".")[0])
    return modules - set(sys.stdlib_module_names) - {"deepfake_ssat"}


@pytest.mark.slow
def test_every_imported_distribution_is_declared():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    declared = set(re.findall(r'^    "([a-z0-9-]+)[\[<>=;]', text, re.MULTILINE))
    imported = {OTHER_NAMES.get(module, module.replace("_", "-")) for module in _imported_modules()}
    assert imported - declared == set()


def _base_dependencies() -> set[str]:
    """Names of what the base install brings: what it declares, and what that asks for in turn."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    declared = re.findall(
        r'^    "(.+)",$', text.partition("\ndependencies = [")[2].partition("\n]")[0], re.MULTILINE
    )
    found, open_ones = set(), [Requirement(line) for line in declared]
    while open_ones:
        requirement = open_ones.pop()
        if requirement.name not in found and (not requirement.marker or requirement.marker.evaluate()):
            found.add(requirement.name)
            open_ones += [Requirement(line) for line in requires(requirement.name) or ()]
    return found


def test_base_install_has_no_torchvision_which_would_replace_an_installed_cpu_build_of_torch():
    found = _base_dependencies()
    assert {"torch", "jinja2", "safetensors"} <= found
    assert "torchvision" not in found
