"""The package as a library: instant to import, light to detect with, typed; its examples are right."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import deepfake_ssat

REPOSITORY = Path(__file__).parent.parent
PAGES = ("README.md", "docs/explain.md", "docs/library.md")


def _printed(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    return done.stdout.strip()


def test_import_is_instant():
    code = (
        "import sys, deepfake_ssat; print(sorted({'numpy', 'torch', 'pydantic', 'rich'} & set(sys.modules)))"
    )
    assert _printed(code) == "[]"


@pytest.mark.slow
def test_detecting_imports_no_training_package():
    heavy = "{'lightning', 'albumentations', 'timm', 'sklearn', 'scipy', 'matplotlib', 'rich', 'typer'}"
    imports = "from deepfake_ssat import Detector, VideoVerdict, detect, load_detector"
    code = f"import sys; {imports}; print(sorted({heavy} & set(sys.modules)))"
    assert _printed(code) == "[]"


@pytest.mark.slow
def test_verbs_of_people_with_a_video_need_no_extra():
    extras = ("albumentations", "fastapi", "huggingface_hub", "lightning", "onnx", "scipy", "sklearn", "timm")
    commands = ("detect", "detection_reports", "doctor", "export", "model", "serve")
    reports = ("annotate", "detection_report", "index_page", "page")
    modules = [f"commands.{name}" for name in commands] + [f"reporting.{name}" for name in reports]
    lines = [
        "import sys",
        f"sys.modules.update(dict.fromkeys({extras}))",
        *(f"import deepfake_ssat.{module}" for module in modules),
        "print('all there')",
    ]
    assert _printed("\n".join(lines)) == "all there"


@pytest.mark.parametrize("name", deepfake_ssat.__all__)
def test_every_name_is_there_and_documented(name):
    assert getattr(deepfake_ssat, name).__doc__
    assert name in dir(deepfake_ssat)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'detekt'"):
        _ = deepfake_ssat.detekt


def test_package_says_that_it_is_typed():
    assert (Path(deepfake_ssat.__file__).parent / "py.typed").is_file()


@pytest.mark.slow
def test_examples_of_the_pages_pass_pyright(tmp_path):
    if _pyright("--version").returncode:
        pytest.skip("pyright is not set up here; make lint does it")
    files = []
    for page in PAGES:
        text = (REPOSITORY / page).read_text(encoding="utf-8")
        blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        assert blocks, page
        files.append(tmp_path / f"{Path(page).stem}.py")
        files[-1].write_text("\n".join(blocks), encoding="utf-8")
    done = _pyright("--pythonpath", sys.executable, *map(str, files))
    assert done.returncode == 0, done.stdout


def _pyright(*arguments):
    command = [sys.executable, "-m", "pyright", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
