"""Pictures made here, on which ``--smoke`` shows that every step works and no number means anything."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from deepfake_ssat.clips.cifar import LAYOUTS
from deepfake_ssat.clips.flowers102 import ID_NAMES
from deepfake_ssat.clips.storage import ClipWriter
from deepfake_ssat.config import DomainNet, Experiment, FaceClips, parse_contract
from deepfake_ssat.manifest import write_manifest
from deepfake_ssat.protocols.paper import MANIPULATIONS
from deepfake_ssat.records import FAKE, REAL, SPLITS, ManifestRow

MADE_UP_FOLDER = "made_up"
FRAMES_PER_SECOND = 25.0
VIDEOS = 2
"""Of each manipulation and split, and as many originals."""
PICTURES = {"train": 48, "val": 16, "test": 32}
CIFAR_FILE_PICTURES = 160
"""Of each of CIFAR's files, so that the held-out part of the smoke overlay leaves some to train on."""


def make_up_data(experiment: Experiment, place: Path) -> None:
    """Writes what an experiment reads: noise, brighter for higher classes."""
    data, model = experiment.data, experiment.model
    place.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(data, FaceClips):
        _write_face_clips(place.parent, model.image_size)
        return
    domain = {"domain": data.domain} if isinstance(data, DomainNet) else {}
    WRITERS[data.kind](place, model.image_size, model.num_classes, **domain)


def _write_npz(file: Path, side: int, num_classes: int) -> None:
    arrays = {}
    for (split, count), seed in zip(PICTURES.items(), range(len(PICTURES)), strict=True):
        images, labels = _pictures(count, (side, side), num_classes, seed)
        arrays |= {f"{split}_images": images, f"{split}_labels": labels[:, None].astype(np.uint8)}
    np.savez(file, **arrays)


def _write_cifar(folder: Path, side: int, num_classes: int) -> None:
    folder.mkdir(exist_ok=True)
    train_files, test_file, names_file, labels_key, names_key = LAYOUTS[folder.name]
    for seed, name in enumerate((*train_files, test_file)):
        images, labels = _pictures(CIFAR_FILE_PICTURES, (3 * side * side,), num_classes, seed)
        (folder / name).write_bytes(pickle.dumps({b"data": images, labels_key: labels.tolist()}, protocol=2))
    names = {names_key: [f"class {number}".encode() for number in range(num_classes)]}
    (folder / names_file).write_bytes(pickle.dumps(names, protocol=2))


def _write_svhn(folder: Path, side: int, num_classes: int) -> None:
    folder.mkdir(exist_ok=True)
    for seed, split in enumerate(("train", "test")):
        images, labels = _pictures(PICTURES[split], (side, side, 3), num_classes, seed)
        # The digit 0 is class 10 there.
        digits = np.where(labels == 0, 10, labels)[:, None]
        savemat(folder / f"{split}_32x32.mat", {"X": images.transpose(1, 2, 3, 0), "y": digits})


def _write_flowers(folder: Path, side: int, num_classes: int) -> None:
    (folder / "jpg").mkdir(parents=True, exist_ok=True)
    counts = {name: max(PICTURES[split], num_classes) for split, name in ID_NAMES.items()}
    ends = np.cumsum(list(counts.values()))
    images, labels = _pictures(int(ends[-1]), (side, side, 3), num_classes, 0)
    for number, image in enumerate(images, start=1):
        Image.fromarray(image).save(folder / "jpg" / f"image_{number:05d}.jpg")
    parts = np.split(np.arange(1, len(images) + 1), ends[:-1])
    savemat(folder / "imagelabels.mat", {"labels": labels[None] + 1})
    savemat(folder / "setid.mat", {name: part[None] for name, part in zip(counts, parts, strict=True)})


def _write_domainnet(folder: Path, side: int, num_classes: int, domain: str) -> None:
    for seed, split in enumerate(("train", "test")):
        paths = _write_files(folder, domain, split, 2 * num_classes, side, num_classes, seed)
        lines = [f"{path} {label}\n" for path, label in paths]
        (folder / f"{domain}_{split}.txt").write_text("".join(lines), encoding="utf-8")


def _write_chaoyang(folder: Path, side: int, num_classes: int) -> None:
    for seed, split in enumerate(("train", "test")):
        paths = _write_files(folder, split, split, PICTURES[split], side, num_classes, seed)
        listed = [{"name": path, "label": label} for path, label in paths]
        (folder / f"{split}.json").write_text(json.dumps(listed), encoding="utf-8")


def _write_image_folder(folder: Path, side: int, num_classes: int) -> None:
    for seed, split in enumerate(("train", "val")):
        _write_files(folder, split, split, 2 * num_classes, side, num_classes, seed)


def _write_face_clips(folder: Path, side: int) -> None:
    """A corpus called as its folder, with the manipulations of table 8."""
    contract = parse_contract({"crop_size": side})
    clip_seconds = (contract.frames - 1) / FRAMES_PER_SECOND
    generator, rows = np.random.default_rng(0), []
    for split in SPLITS:
        for manipulation, number in product(("original", *MANIPULATIONS), range(VIDEOS)):
            label = REAL if manipulation == "original" else FAKE
            name = f"{manipulation}/c23/{split}{number}"
            row = ManifestRow(
                corpus=folder.name,
                video_id=name,
                label=label,
                manipulation=manipulation,
                split=split,
                identities=(f"{split}{number}",),
                group=f"{split}{number}",
                compression="c23",
                source=f"{name}.mp4",
                clip_file=f"clips/{name}.mp4",
                track_id=0,
                first_frame=0,
                frame_stride=1,
                num_frames=contract.frames,
                start_seconds=0.0,
                end_seconds=clip_seconds,
                box=(0.0, 0.0, float(side), float(side)),
                face_size=float(side),
                contract_hash=contract.hash(),
            )
            noise = generator.integers(0, 100, (contract.frames, side, side, 3)) + 100 * label
            with ClipWriter(folder / row.clip_file, FRAMES_PER_SECOND) as writer:
                writer.write(noise.astype(np.uint8))
            rows.append(row)
    write_manifest(folder, rows, [], contract)


def _write_files(
    folder: Path, below: str, name: str, count: int, side: int, num_classes: int, seed: int
) -> list[tuple[str, int]]:
    """Pictures in class folders; (path below the folder, label) of each."""
    written = []
    images, labels = _pictures(count, (side, side, 3), num_classes, seed)
    for number, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
        path = f"{below}/class_{label:04d}/{name}_{number:06d}.jpg"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / path)
        written.append((path, label))
    return written


def _pictures(
    count: int, shape: tuple[int, ...], num_classes: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """(N, ...) uint8 and (N,) int64."""
    labels = np.arange(count) % num_classes
    noise = np.random.default_rng(seed).integers(0, 100, (count, *shape))
    brightness = (155 * labels // num_classes).reshape(-1, *(1 for _ in shape))
    return (noise + brightness).astype(np.uint8), labels


WRITERS: dict[str, Callable[..., None]] = {
    "npz": _write_npz,
    "cifar": _write_cifar,
    "svhn": _write_svhn,
    "flowers102": _write_flowers,
    "domainnet": _write_domainnet,
    "chaoyang": _write_chaoyang,
    "image_folder": _write_image_folder,
}
"""By the configuration's ``data.kind``."""
