"""Runs the trainings of table 5, adds up what their sessions cost, and scores checkpoints on test."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from typing import Any

import torch
from energy_meter import EnergyMeter
from table5_plan import CONFIG, Stage, seed_folder, stage_names

from deepfake_ssat.clips.array_file import read_array_file
from deepfake_ssat.clips.images import ImageDataset
from deepfake_ssat.config import ArrayFile, ModelSettings, load_experiment
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.models.checkpoint import load_checkpoint
from deepfake_ssat.models.pixels import normalize_pixels
from deepfake_ssat.outputs import write_file
from deepfake_ssat.training.run_folder import RunFolder

ACCOUNT_SECONDS = 10.0
"""A killed session's cost is known up to so long before its end."""
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "8589934592", "MALLOC_TRIM_THRESHOLD_": "8589934592"}
"""Else glibc gives each step's memory back to the kernel: page faults were a seventh of the CPU time."""
TEST_BATCH = 64


def check_stage(stage: Stage) -> None:
    """Raises DeepfakeError in one line where settings are wrong, or the folder is another run's."""
    experiment = load_experiment(CONFIG, stage.changes)
    if not isinstance(experiment.model, ModelSettings):
        raise ConfigError(f"model.kind {experiment.model.kind}: table 5 is of a masked autoencoder")
    RunFolder(stage.folder).check(experiment, 1, None)


def run_stage(stage: Stage, country: str, cpu_watts: float | None) -> int:
    """Trains, or goes on training; returns the exit code. A finished run is left alone."""
    if RunFolder(stage.folder).finished:
        return 0
    options = [word for change in stage.changes for word in ("--set", change)]
    words = ["train", str(CONFIG), *options, "--out", str(stage.folder)]
    print(f"\n$ deepfake-ssat {shlex.join(words)}", flush=True)
    sessions = _read(stage.cost_file).get("sessions", [])
    meter, began = EnergyMeter(country, cpu_watts), time.monotonic()
    process = Popen([sys.executable, "-m", "deepfake_ssat", *words], env={**KEEP_MEMORY, **os.environ})

    def account(energy: dict[str, float]) -> None:
        session = {"seconds": time.monotonic() - began, **energy, "method": meter.method()}
        _write(stage.cost_file, {"sessions": [*sessions, session]})

    try:
        while True:
            try:
                return process.wait(ACCOUNT_SECONDS)
            except TimeoutExpired:
                account(meter.read())
    finally:
        process.terminate()
        process.wait()
        account(meter.stop())


def read_cost(out: Path, variant: str, seed: int, method: str) -> dict[str, Any]:
    """Seconds, kWh and kg of CO₂ of a method's trainings together; None where a session was not metered."""
    sessions = [
        session
        for name in stage_names(method)
        for session in _read(seed_folder(out, variant, seed) / f"{name}.cost.json").get("sessions", [])
    ]

    def total(key: str) -> float | None:
        values = [session.get(key) for session in sessions]
        return None if not values or None in values else sum(values)

    methods = sorted({session["method"] for session in sessions if session.get("method")})
    totals = {key: total(key) for key in ("seconds", "kwh", "kg_co2", "cpu_kwh", "memory_kwh", "gpu_kwh")}
    return {**totals, "sessions": len(sessions), "energy": methods}


def read_test_pictures(
    data: Path, image_size: int, channels: int | None, crop_pct: float = 1.0
) -> ImageDataset:
    """The test split; raises DeepfakeError in one line where the file does not give it."""
    pictures = read_array_file(ArrayFile(path=data), "test")
    if channels is not None:
        pictures = pictures.with_channels(channels)
    return ImageDataset(pictures, image_size, None, 0, crop_pct=crop_pct)


def scores_on_test(folder: Path, data: Path) -> dict[str, dict[str, Any]]:
    """What the best and the last checkpoint of a finished run get right on the test split, kept in a file."""
    file = folder.with_name(f"{folder.name}.test.json")
    kept = _read(file)
    if not kept:
        run = RunFolder(folder)
        kept = {name: _score(path, data) for name, path in (("best", run.best), ("last", run.last))}
        _write(file, kept)
    return kept


def _score(path: Path, data: Path) -> dict[str, Any]:
    checkpoint = load_checkpoint(path, decoder=False)
    model: Any = checkpoint.model
    settings = checkpoint.settings
    crop_pct = checkpoint.provenance["config"]["data"].get("crop_pct", 1.0)
    pictures = read_test_pictures(data, settings.image_size, settings.channels, crop_pct)
    correct = 0
    with torch.inference_mode():
        for first in range(0, len(pictures), TEST_BATCH):
            items = [pictures[index] for index in range(first, min(first + TEST_BATCH, len(pictures)))]
            clips = normalize_pixels(torch.stack([item["pixels"] for item in items]), checkpoint.settings)
            labels = torch.tensor([item["label"] for item in items])
            correct += int((model.classify(clips).argmax(dim=1) == labels).sum())
    return {
        "epoch": checkpoint.metrics["epoch"],
        "correct": correct,
        "pictures": len(pictures),
        "sha256": checkpoint.hash,
    }


def _read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def _write(file: Path, values: dict[str, Any]) -> None:
    write_file(file, (json.dumps(values, indent=2) + "\n").encode())
