"""A genuine clip and a manipulated copy of it, judged by the weights that come with the package.

    make demo            or            python tools/demo.py [FOLDER]

The manipulation is crude and made here: the demonstration shows the tool at work, not how well it tells real
deepfakes. What was measured stands in docs/model_card.md.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from make_demo_videos import make_demo_videos

MARKER = ".made_by_demo"
"""Lies in a folder that may be deleted and made again."""


def main() -> None:
    """Parses, runs the demonstration, and exits with 0 only if both verdicts came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", default=Path("demo_run"), help="default: demo_run")
    run_demo(parser.parse_args().folder)


def run_demo(folder: Path) -> None:
    """Makes the folder anew, its two videos and their verdicts; a failure ends the program with its code."""
    start_afresh(folder)
    videos = folder / "videos"
    make_demo_videos(videos)
    report = folder / "report"
    run_verb("detect", videos, "--clips", "all", "--report", report, "--json", folder / "verdicts.json")
    print(
        "\ngenuine.mp4 is a moving portrait, manipulated.mp4 the same with its face replaced, crudely.\n"
        f"Evidence, frame by frame: open {report / 'index.html'}. Real deepfakes are harder, and many are\n"
        "missed: docs/model_card.md tells how many."
    )


def start_afresh(folder: Path) -> None:
    """Makes the folder, and deletes what an earlier demonstration left; refuses a folder of someone else."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).is_file():
        raise SystemExit(f"error: {folder} has files that no demonstration made; give a new folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()


def run_verb(*words: object) -> None:
    """Prints and runs one command of deepfake-ssat, and ends this program with its exit code if it fails."""
    command = [str(word) for word in words]
    print(f"$ deepfake-ssat {shlex.join(command)}", flush=True)
    code = subprocess.run([sys.executable, "-m", "deepfake_ssat", *command], check=False).returncode
    if code != 0:
        raise SystemExit(code)


if __name__ == "__main__":
    main()
