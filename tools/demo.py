"""The whole way in some minutes: makes face videos, then preprocess, train and detect, as a user runs them.

    make demo            or            python tools/demo.py [FOLDER]

The manipulations are crude and made here, and the person is always the same: the demonstration shows the
tool at work, not how well it tells real deepfakes.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
CONFIG = TOOLS.parent / "configs" / "smoke_demo.yaml"
MARKER = ".made_by_demo"
"""Lies in a folder that may be deleted and made again."""


def main() -> None:
    """Parses, runs the demonstration, and exits with 0 only if both verdicts came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", default=Path("demo_run"), help="default: demo_run")
    run_demo(parser.parse_args().folder)


def run_demo(folder: Path, train_pairs: int = 12, val_pairs: int = 4, changes: Sequence[str] = ()) -> None:
    """All steps in one folder, made anew each time; a step that fails ends the program with its exit code."""
    start_afresh(folder)
    say(f"1 of 4: {2 * (train_pairs + val_pairs) + 2} small face videos, half of them manipulated")
    pairs = ["--train-pairs", str(train_pairs), "--val-pairs", str(val_pairs)]
    run([sys.executable, str(TOOLS / "make_demo_videos.py"), str(folder), *pairs])
    say("2 of 4: find the faces and cut them out")
    clips = folder / "clips"
    run_verb("preprocess", "folder", folder / "corpus", "--out", clips, "--crop-size", 112)
    say("3 of 4: train a tiny network for a moment")
    settings = [f"data.manifest={clips}", *changes]
    options = [part for change in settings for part in ("--set", change)]
    run_verb("train", CONFIG, *options, "--out", folder / "run")
    say("4 of 4: judge two videos that it has never seen")
    checkpoint = folder / "run" / "checkpoints" / "best.safetensors"
    run_verb("detect", folder / "fresh", "--checkpoint", checkpoint, "--json", folder / "verdicts.json")
    print(
        "\ngenuine.mp4 is genuine and manipulated.mp4 is manipulated. This was a demonstration on crude\n"
        "manipulations of one portrait, made here: its network knows nothing of real deepfakes."
    )


def start_afresh(folder: Path) -> None:
    """Makes the folder, and deletes what an earlier demonstration left; refuses a folder of someone else."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).is_file():
        raise SystemExit(f"error: {folder} has files that no demonstration made; give a new folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()


def run_verb(*words: object) -> None:
    """Prints and runs one command of deepfake-ssat."""
    command = [str(word) for word in words]
    print(f"\n$ deepfake-ssat {shlex.join(command)}", flush=True)
    run([sys.executable, "-m", "deepfake_ssat", *command])


def run(command: Sequence[str]) -> None:
    """Runs a program, and ends this one with its exit code if it fails."""
    code = subprocess.run(command, check=False).returncode
    if code != 0:
        raise SystemExit(code)


def say(text: str) -> None:
    """A heading between the steps."""
    print(f"\n=== {text}", flush=True)


if __name__ == "__main__":
    main()
