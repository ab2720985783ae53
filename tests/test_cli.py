"""The command line: quick help, one line for what users cause, tracebacks for bugs."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deepfake_ssat import __version__
from deepfake_ssat.cli import app
from deepfake_ssat.commands import detect as detect_command
from deepfake_ssat.commands import evaluate as evaluate_command
from deepfake_ssat.commands import preprocess as preprocess_command
from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.errors import VideoError

REPOSITORY = Path(__file__).parent.parent
VERBS = ["detect", "preprocess", "train", "evaluate", "model", "export", "serve"]
VERBS += ["cross-manipulation", "compare", "cross-dataset", "calibrate", "analyse"]


def run_cli(*arguments):
    return CliRunner().invoke(app, list(arguments))


def python(*arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=REPOSITORY)


@pytest.mark.slow
def test_help_of_everything_imports_nothing_heavy():
    code = f"""
import sys
from deepfake_ssat.cli import app
for arguments in [["--help"], *([verb, "--help"] for verb in {VERBS})]:
    try:
        app(arguments)
    except SystemExit as end:
        assert end.code == 0, arguments
heavy = {{"torch", "numpy", "cv2", "av", "lightning", "pandas", "sklearn", "skimage"}}
print("imported:", sorted(heavy & set(sys.modules)))
"""
    done = python("-c", code)
    assert done.stdout.splitlines()[-1] == "imported: []"


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_listed_and_explained(verb):
    assert verb in run_cli("--help").output
    result = run_cli(verb, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_detect_help_documents_its_exit_codes():
    text = " ".join(run_cli("detect", "--help").output.split())
    assert "0 every video was scored; 3 some were not" in text
    assert "2 the command cannot run as given" in text


def test_list_of_verbs_cuts_no_sentence_at_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    verbs = run_cli("--help").output.partition("Commands:")[2]
    assert len(verbs.splitlines()) > len(VERBS)
    assert "..." not in verbs


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [["--help"], ["detect", "--help"], ["--version"]])
def test_help_that_finds_no_room_is_one_line(arguments):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "deepfake_ssat", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 2
    assert done.stderr == (
        "error: the output cannot be written (No space left on device); make room, and run the same command "
        "again\n"
    )


def test_version():
    assert run_cli("--version").output == f"deepfake-ssat {__version__}\n"


@pytest.mark.slow
def test_module_runs_as_the_command():
    done = python("-m", "deepfake_ssat", "detect", "no/such/file.mp4")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: no/such/file.mp4 does not exist")
    assert len(done.stderr.splitlines()) == 1


def test_wrong_option_is_a_usage_error():
    result = run_cli("detect", "x.mp4", "--device", "magic")
    assert result.exit_code == 2
    assert "magic" in result.output


def test_what_a_user_causes_is_one_line_and_exit_code_2(monkeypatch):
    def run(*_, **__):
        raise VideoError("x.mp4 is empty; copy it again")

    monkeypatch.setattr(detect_command, "run", run)
    result = run_cli("detect", "x.mp4")
    assert (result.exit_code, result.output) == (2, "error: x.mp4 is empty; copy it again\n")


def test_interruption_is_one_line_and_exit_code_130(monkeypatch):
    def run(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(detect_command, "run", run)
    result = run_cli("detect", "x.mp4")
    assert (result.exit_code, result.output) == (130, "interrupted\n")


def test_bug_keeps_its_traceback(monkeypatch):
    def run(*_, **__):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(detect_command, "run", run)
    result = run_cli("detect", "x.mp4")
    assert isinstance(result.exception, ZeroDivisionError)


@pytest.mark.parametrize("code", [0, 3])
def test_commands_exit_code_is_the_programs(monkeypatch, code):
    given = {}

    def run(*positional, **options):
        given.update(options, paths=positional[0])
        return code

    monkeypatch.setattr(detect_command, "run", run)
    result = run_cli("detect", "a.mp4", "b", "--json", "-", "--clips", "all", "--device", "cpu")
    assert result.exit_code == code
    assert given["paths"] == ["a.mp4", "b"]
    assert (given["json_file"], given["clips"]) == (Path("-"), "all")
    assert given["device"] == "cpu"


def test_preprocess_options_make_the_contract(monkeypatch):
    given = {}

    def run(*positional, **options):
        given.update(options, positional=positional)
        return 0

    monkeypatch.setattr(preprocess_command, "run", run)
    arguments = ["ffpp", "root", "--out", "o", "--frames", "8", "--margin", "0.5", "--compression", "c23"]
    assert run_cli("preprocess", *arguments).exit_code == 0
    assert given["settings"] == ExtractionSettings(frames=8, margin=0.5)
    assert given["positional"] == ("ffpp", "root", Path("o"))
    assert given["options"].compressions == ("c23",)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (detect_command, ["detect", "a.mp4"]),
        (preprocess_command, ["preprocess", "folder", "root", "--out", "o"]),
        (evaluate_command, ["evaluate", "best.safetensors", "clips", "--out", "o"]),
    ],
)
def test_address_of_a_cluster_reaches_the_command(monkeypatch, command, arguments):
    given = {}
    monkeypatch.setattr(command, "run", lambda *_, **options: given.update(options) or 0)
    assert run_cli(*arguments, "--ray", "head:6379").exit_code == 0
    assert given["ray"] == "head:6379"


def test_preprocess_help_tells_the_contracts_defaults():
    text = " ".join(run_cli("preprocess", "--help").output.split())
    defaults = ExtractionSettings()
    for name in ("frames", "frame_stride", "crop_size", "margin", "detect_every", "min_face_size"):
        option = text[text.index(f"--{name.replace('_', '-')} ") :]
        assert f"default {getattr(defaults, name):g}." in option[:160]


@pytest.mark.parametrize(("missing", "known"), [("sklearn.metrics", True), ("some_typo", False)])
def test_missing_training_package_is_named_with_its_extra_and_another_is_a_bug(monkeypatch, missing, known):
    def run(*arguments, **options):
        raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    monkeypatch.setattr(detect_command, "run", run)
    result = run_cli("detect", ".")
    assert (result.exit_code == 2) is known
    assert ("pip install 'deepfake-ssat[train]'" in result.stderr) is known


def test_full_disk_is_no_bug_whatever_a_verb_was_writing(monkeypatch, tmp_path):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(evaluate_command, "run", full)
    refused = run_cli("evaluate", "a.safetensors", "clips", "--out", str(tmp_path))
    assert refused.exit_code == 2
    assert refused.stderr == (
        "error: a file cannot be written (No space left on device); make room, and run the same command "
        "again\n"
    )


def test_doctor_on_a_full_disk_is_one_line(monkeypatch):
    def full():
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("deepfake_ssat.commands.doctor.run", full)
    refused = run_cli("doctor")
    assert refused.exit_code == 2
    assert refused.stderr.startswith("error: a file cannot be written")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verb", "set_by_user", "policy"),
    [
        ("detect", None, "PASSIVE"),
        ("evaluate", None, "PASSIVE"),
        ("detect", "ACTIVE", "ACTIVE"),
        ("train", None, None),
    ],
)
def test_waiting_threads_sleep_but_in_trainings(monkeypatch, verb, set_by_user, policy):
    monkeypatch.setenv("OMP_WAIT_POLICY", set_by_user or "")
    if set_by_user is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    run_cli(verb, "missing.mp4", *(["missing", "--out", "missing"] if verb == "evaluate" else []))
    assert os.environ.get("OMP_WAIT_POLICY") == policy
