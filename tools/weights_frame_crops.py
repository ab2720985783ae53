"""Face crops for the frame model: FaceForensics++ frames with their fakes, genuine clips, photos.

    python tools/weights_frame_crops.py OUT DATA [DATA ...]

Faces are found in the genuine video, and the same squares are cut out of its fakes. Crops are loose, so that
training chooses the framing. Every finished array has a row in OUT/index.csv; what has one is not cut again.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np
from weights_crops import genuine_files, validates

from deepfake_ssat.errors import DeepfakeError
from deepfake_ssat.faces.crops import crop_square, cut_finally, cut_loosely, into_crop
from deepfake_ssat.faces.mtcnn import FaceDetector
from deepfake_ssat.video import open_video

CROP, MARGIN = 320, 0.45
"""Pixels per side; part of the face box's longer side around it."""
FFPP_FRAMES, GENUINE_FRAMES = 24, 10
"""Of a video, evenly spread."""
DETECTION_SIDE, MIN_FACE = 640, 40.0
LEAST_CONFIDENCE = 0.9
SAME_PEOPLE = {"styletalk_obama": "vox_lia_obama", "edtalk_uncrop": "vox_lia_obama"}
"""Names by file -> by manifest, where the same person is elsewhere in the data."""
LEAST_FRAMES = 4
"""With fewer faces found a video is left out."""


@dataclass(frozen=True)
class CropRow:
    """One array of crops (T, CROP, CROP, 3); its landmarks (T, 5, 2) lie beside it."""

    file: str
    kind: str
    """``ffpp``, ``video`` or ``photo``."""
    method: str
    """Of a fake, with its compression; empty where genuine."""
    original: str
    """The array whose frames and squares these are; empty where genuine."""
    person: str
    split: str


@dataclass(frozen=True)
class _Place:
    """Where the face lies in one frame."""

    frame: int
    square: np.ndarray
    landmarks: np.ndarray
    """(5, 2) in pixels of the crop."""


def read_index(folder: Path) -> list[CropRow]:
    """Everything cut so far."""
    with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
        return [CropRow(**row) for row in csv.DictReader(file)]


def main() -> None:
    """Cuts what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("data", type=Path, nargs="+")
    options = parser.parse_args()
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    index = out / "index.csv"
    if not index.is_file():
        index.write_text(",".join(field.name for field in fields(CropRow)) + "\n", encoding="utf-8")
    cutter = _Cutter(out, {row.file for row in read_index(out)})
    splits = json.loads((options.data[0] / "ffpp_splits" / "val.json").read_text("utf-8"))
    validation = {name for pair in splits for name in pair}
    for data in options.data:
        cutter.ffpp(data / "FaceForensics++", validation)
    for data in options.data:
        for path, person in _genuine(data):
            cutter.genuine(path, person, "photo" if "real_photos" in path.parts else "video")


def _genuine(data: Path) -> Iterator[tuple[Path, str]]:
    """Genuine files and whose face they show."""
    if (data / "manifest.csv").is_file():
        yield from genuine_files(data)
        return
    for path in sorted((data / "real_videos").rglob("*.mp4")):
        # Mead's one actor, whatever the emotion; elsewhere the name's first word, MEAD's W009 for instance.
        name = "" if path.parent.name == "eamm" else re.split("[_.]", path.stem)[0].lower()
        person = f"{path.parent.name}_{name}"
        yield path, SAME_PEOPLE.get(person, person)


class _Cutter:
    def __init__(self, out: Path, finished: set[str]) -> None:
        self._out = out
        self._finished = finished
        self._detectors: dict[float, FaceDetector] = {}

    def ffpp(self, root: Path, validation: set[str]) -> None:
        """Every original with all of its fakes."""
        for path in sorted(root.glob("original_sequences/youtube/*/videos/*.mp4")):
            name, compression = path.stem, path.parts[-3]
            split = "val" if name in validation else "train"
            file = f"ffpp_original_{compression}_{name}.npy"
            if file not in self._finished:
                self._cut(path, CropRow(file, "ffpp", "", "", name, split), FFPP_FRAMES)
            if file not in self._finished:
                continue
            for fake in sorted(root.glob(f"manipulated_sequences/*/{compression}/videos/{name}_*.mp4")):
                method = fake.parts[-4]
                fake_file = f"ffpp_{method}_{compression}_{fake.stem}.npy"
                if fake_file not in self._finished:
                    row = CropRow(fake_file, "ffpp", f"{method} {compression}", file, name, split)
                    self._cut_fake(fake, row)

    def genuine(self, path: Path, person: str, kind: str) -> None:
        """A clip or a photo."""
        file = f"{kind}_{path.parent.name}_{path.stem}.npy"
        if file not in self._finished:
            split = "val" if validates(person) else "train"
            self._cut(path, CropRow(file, kind, "", "", person, split), GENUINE_FRAMES)

    def _cut(self, path: Path, row: CropRow, count: int) -> None:
        crops, places = [], []
        try:
            for frame, picture in _pictures(path, row.kind, count):
                place = self._find(picture, frame)
                if place is not None:
                    places.append(place)
                    crops.append(_crop(picture, place.square))
        except DeepfakeError as error:
            print(f"left out: {error}", flush=True)
            return
        if len(places) < (1 if row.kind == "photo" else LEAST_FRAMES):
            print(f"left out: {path} shows a face in {len(places)} frames", flush=True)
            return
        np.save(self._out / _beside(row.file, "landmarks"), np.stack([place.landmarks for place in places]))
        squares = np.stack([[place.frame, *place.square] for place in places])
        np.save(self._out / _beside(row.file, "squares"), squares)
        self._finish(row, crops)

    def _cut_fake(self, path: Path, row: CropRow) -> None:
        squares = np.load(self._out / _beside(row.original, "squares"))
        wanted = {int(frame): square for frame, *square in squares}
        with open_video(path) as reader:
            chosen = (frame for frame in reader if frame.index in wanted)
            crops = [_crop(frame.rgb(), np.array(wanted[frame.index])) for frame in chosen]
        # A fake may be some frames shorter than its original.
        self._finish(row, crops)

    def _finish(self, row: CropRow, crops: list[np.ndarray]) -> None:
        np.save(self._out / row.file, np.stack(crops))
        with (self._out / "index.csv").open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow([getattr(row, field.name) for field in fields(row)])
        self._finished.add(row.file)

    def _find(self, picture: np.ndarray, frame: int) -> _Place | None:
        """The surest large face."""
        scale = min(1.0, DETECTION_SIDE / max(picture.shape[:2]))
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        smallest = round(MIN_FACE * scale, 2)
        detector = self._detectors.setdefault(smallest, FaceDetector(smallest))
        faces = [face for face in detector.detect([small])[0] if face.confidence > LEAST_CONFIDENCE]
        if not faces:
            return None
        face = max(faces, key=lambda face: (face.box[2] - face.box[0]) * face.confidence)
        square = crop_square(np.array(face.box) / scale, MARGIN)
        return _Place(frame, square, into_crop(face.landmarks / scale, square, CROP))


def _pictures(path: Path, kind: str, count: int) -> Iterator[tuple[int, np.ndarray]]:
    if kind == "photo":
        picture = cv2.imread(str(path))
        if picture is not None:
            yield 0, np.ascontiguousarray(picture[..., ::-1])
        return
    with open_video(path) as reader:
        total = reader.metadata.num_frames or 250
        wanted = set(np.linspace(0.03 * total, 0.95 * total, count).astype(int).tolist())
        for frame in reader:
            if frame.index in wanted:
                yield frame.index, frame.rgb()
            if frame.index >= max(wanted):
                break


def _crop(picture: np.ndarray, square: np.ndarray) -> np.ndarray:
    return cut_finally(cut_loosely(picture, square, CROP), square, CROP)


def _beside(file: str, what: str) -> str:
    return file.replace(".npy", f".{what}.npy")


if __name__ == "__main__":
    main()
