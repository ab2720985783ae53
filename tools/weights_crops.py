"""Face crops for the default weights' first stage: photos and frames of genuine videos, cut once, as arrays.

One crop is 1.6 times as wide as the face box, so that a random part of it is as wide as detect's.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.errors import VideoError
from deepfake_ssat.faces.crops import crop_square, cut_finally, cut_loosely, into_crop
from deepfake_ssat.faces.extract import FaceExtractor
from deepfake_ssat.faces.mtcnn import FaceDetector
from deepfake_ssat.video import open_video

CROP = 272
"""Pixels per side."""
MARGIN = 0.6
CLIPS_PER_VIDEO, CLIPS_OF_MANY = 6, 2
"""Of people with one or two videos, and of people with more."""
DETECTION_SIDE = 640
PHOTO_PART = 4
"""One of so many photos takes part in the later stages, so that they see as much of the videos."""
VALIDATION_PART = 5
"""One of so many people validates."""


@dataclass(frozen=True)
class Crops:
    """Clips of faces: photos are clips of one frame."""

    frames: np.ndarray
    """(N, T, CROP, CROP, 3) uint8."""
    landmarks: np.ndarray
    """(N, T, 5, 2) in pixels."""
    people: list[str]
    """(N,) whose faces."""


def validates(person: str) -> bool:
    """Whether a person belongs to the validation part: by a hash, so that it never changes."""
    return hashlib.sha256(person.encode()).digest()[0] % VALIDATION_PART == 0


def genuine_files(data: Path) -> list[tuple[Path, str]]:
    """Every genuine photo and video outside the research corpora, and whose face it shows."""
    with (data / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = [
            row for row in csv.DictReader(file) if row["path"].startswith(("real_photos/", "real_videos/"))
        ]
    # Photos show one person each, most of them without a name.
    return [
        (data / row["path"], row["identity"] if row["path"].startswith("real_videos/") else row["path"])
        for row in rows
    ]


def write_table(data: Path, path: Path) -> None:
    """The CSV that ``preprocess csv`` reads: videos and some photos, the same people in train and val."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "split", "identity"])
        for source, person in genuine_files(data):
            if "real_photos" in source.parts and sum(source.name.encode()) % PHOTO_PART:
                continue
            split = "val" if validates(person) else "train"
            writer.writerow([source.resolve(), "real", split, person.replace(";", ",")])


def load_crops(data: Path, folder: Path) -> tuple[Crops, Crops]:
    """The crops of photos and of videos; cut and stored in ``folder`` the first time."""
    files = genuine_files(data)
    photos = [(path, person) for path, person in files if "real_photos" in path.parts]
    videos = [(path, person) for path, person in files if "real_videos" in path.parts]
    return _load(folder / "photos", photos, _photo_clips), _load(folder / "videos", videos, _video_clips)


def _load(path: Path, files: list[tuple[Path, str]], cut) -> Crops:
    names = path.with_suffix(".json")
    if not names.is_file():
        frames, landmarks, people = [], [], []
        for pixels, points, person in cut(files):
            frames.append(pixels)
            landmarks.append(points)
            people.append(person)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path.with_suffix(".frames.npy"), np.stack(frames))
        np.save(path.with_suffix(".landmarks.npy"), np.stack(landmarks))
        # Last: it says that the arrays are whole.
        names.write_text(json.dumps(people), encoding="utf-8")
    frames = np.load(path.with_suffix(".frames.npy"), mmap_mode="r")
    return Crops(frames, np.load(path.with_suffix(".landmarks.npy")), json.loads(names.read_text("utf-8")))


def _photo_clips(files: list[tuple[Path, str]]) -> Iterator[tuple[np.ndarray, np.ndarray, str]]:
    detector = FaceDetector(40.0)
    for path, person in track(files, "photos"):
        encoded = cv2.imread(str(path))
        if encoded is None:
            continue
        picture = np.ascontiguousarray(encoded[..., ::-1])
        scale = min(1.0, DETECTION_SIDE / max(picture.shape[:2]))
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        faces = detector.detect([small])[0]
        if not faces:
            continue
        face = max(faces, key=lambda face: (face.box[2] - face.box[0]) * face.confidence)
        square = crop_square(np.array(face.box) / scale, MARGIN)
        crop = cut_finally(cut_loosely(picture, square, CROP), square, CROP)
        yield crop[None], into_crop(face.landmarks / scale, square, CROP)[None], person


def _video_clips(files: list[tuple[Path, str]]) -> Iterator[tuple[np.ndarray, np.ndarray, str]]:
    extractor = FaceExtractor(ExtractionSettings(crop_size=CROP, margin=MARGIN))  # pyright: ignore[reportCallIssue]
    people = [person for _, person in files]
    for path, person in track(files, "videos"):
        clips = CLIPS_PER_VIDEO if people.count(person) < 3 else CLIPS_OF_MANY
        try:
            with open_video(path) as reader:
                for clip in extractor.extract(reader, clips):
                    yield clip.pixels, clip.landmarks, person
        except VideoError as error:
            print(f"left out: {error}")
