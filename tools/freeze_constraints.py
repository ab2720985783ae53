"""Writes constraints.txt: the installed versions, with which ``make setup`` sets up every machine alike.

make constraints    (runs it once the tests have passed with the newest versions that the bounds allow)
"""

from __future__ import annotations

import sys
from importlib.metadata import distribution, distributions
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

FILE = Path(__file__).parent.parent / "constraints.txt"
PROJECT = "deepfake-ssat"
PLATFORM_PARTS = ("cuda-", "nvidia-", "triton")
"""What torch brings on some machines only; its own version pins them."""
HEADER = """\
# The versions that the tests last passed with; make setup installs them. Renewed by: make constraints
"""


def constraints() -> list[str]:
    """``name==version`` of every package installed beside this interpreter, in the order of their names."""
    pins = {}
    for package in distributions():
        name = canonicalize_name(package.metadata["Name"])
        if name != PROJECT and not name.startswith(PLATFORM_PARTS):
            needed = package.metadata["Requires-Python"] or ""
            pins[name] = f"{name}=={Version(package.version).public}{marker(needed)}"
    return [pins[name] for name in sorted(pins)]


def marker(requires_python: str) -> str:
    """The condition that keeps a pin from Pythons that this project allows and the package does not."""
    project, package = (
        SpecifierSet(text) for text in (distribution(PROJECT).metadata["Requires-Python"], requires_python)
    )
    allowed = [f"3.{minor}" for minor in range(sys.version_info.minor + 1) if f"3.{minor}.99" in project]
    shared = [version for version in allowed if f"{version}.99" in package]
    return "" if shared == allowed else f'; python_version >= "{shared[0]}"'


if __name__ == "__main__":
    FILE.write_text(HEADER + "\n".join(constraints()) + "\n", encoding="utf-8")
    print(f"wrote {FILE.name}: {len(constraints())} packages")
