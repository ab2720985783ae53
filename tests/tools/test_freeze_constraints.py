"""constraints.txt pins what pyproject.toml asks for, within its bounds, and nothing of one machine."""

import re
from importlib.metadata import requires
from pathlib import Path

import pytest
from freeze_constraints import marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LINES = (Path(__file__).parents[2] / "constraints.txt").read_text().splitlines()
PINS = {line.partition("==")[0]: Requirement(line) for line in LINES if not line.startswith("#")}
OURS = [Requirement(text) for text in requires("deepfake-ssat") or []]


def test_lines_are_names_and_versions_alone():
    pattern = re.compile(r'[a-z0-9-]+==[0-9][0-9a-z.]*(; python_version >= "3\.\d+")?')
    assert [line for line in LINES[1:] if not pattern.fullmatch(line)] == []
    assert not [name for name in PINS if name.startswith(("nvidia", "cuda", "triton"))]


NOT_SET_UP = {"deepfake-ssat", "mlflow", "wandb"}
"""Extras too large for what make setup installs."""


def test_every_requirement_is_pinned_within_its_bounds():
    for requirement in OURS:
        if requirement.name not in NOT_SET_UP:
            (pin,) = PINS[canonicalize_name(requirement.name)].specifier
            assert requirement.specifier.contains(pin.version), f"{requirement} and {pin}"


@pytest.mark.parametrize(
    ("needs", "condition"),
    [("", ""), (">=3.8", ""), (">=3.10", ""), (">=3.11", '; python_version >= "3.11"'), ("!=3.9.*", "")],
)
def test_pin_spares_the_pythons_that_its_package_does(needs, condition):
    assert marker(needs) == condition
