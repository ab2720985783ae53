"""Draws a sheet of pseudo-fakes, to see what a detector is trained on.

    python tools/show_pseudo_fakes.py data/faces --out sheet.png
    python tools/show_pseudo_fakes.py folder/of/photos --out sheet.png --frames 16

Rows: a few examples of each kind. Columns: the stored frame, the genuine clip's middle frame, the manipulated
one, their difference (three times as strong) and the mask; then, of clips, manipulated frames over time.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from deepfake_ssat.clips.donors import Donors
from deepfake_ssat.clips.forging import FaceFrames, read_face
from deepfake_ssat.clips.pseudo_fakes import PseudoFakePair, pseudo_fake_pair
from deepfake_ssat.clips.stills import still_clip
from deepfake_ssat.config import ExtractionSettings, PseudoFakeSettings
from deepfake_ssat.corpora.files import is_picture
from deepfake_ssat.errors import DeepfakeError
from deepfake_ssat.faces.extract import FaceExtractor
from deepfake_ssat.faces.stills import of_one_frame
from deepfake_ssat.manifest import CONTRACT_FILE, load_manifest
from deepfake_ssat.outputs import write_file
from deepfake_ssat.records import REAL
from deepfake_ssat.video.picture import PictureReader

COLUMNS = ("source", "real", "fake", "difference x3", "mask")
GAP, CAPTION_HEIGHT, NAME_WIDTH = 4, 22, 110
FRAMES_OVER_TIME = 4


@dataclass(frozen=True)
class Example:
    """A genuine face with somebody whose face it can be given."""

    source: np.ndarray
    """(H, W, 3) uint8 as stored."""
    face: FaceFrames
    donor: FaceFrames


def main() -> None:
    """Reads the faces and writes the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("source", type=Path, help="a folder that preprocess wrote, or one of pictures")
    parser.add_argument("--out", type=Path, required=True, help="the PNG to write")
    parser.add_argument("--each", type=int, default=3, help="examples of each kind")
    parser.add_argument("--frames", type=int, default=1, help="frames of a clip")
    parser.add_argument("--size", type=int, default=224, help="side of the faces in pixels")
    parser.add_argument("--seed", type=int, default=0, help="another one shows other faces and draws")
    options = parser.parse_args()
    generator = np.random.default_rng(options.seed)
    read = _stored if (options.source / CONTRACT_FILE).is_file() else _from_pictures
    try:
        examples = list(read(options.source, options.each, options.frames, generator))
        examples = [
            Example(each.source, each.face.resized(options.size), each.donor.resized(options.size))
            for each in examples
        ]
    except DeepfakeError as error:
        raise SystemExit(f"{error}") from error
    if not examples:
        raise SystemExit(f"{options.source}: no genuine face found; give a manifest or a folder of photos")
    rows = [
        (kind, row)
        for kind in PseudoFakeSettings().weights()
        for row in _rows_of_kind(kind, examples, generator)
    ]
    sheet = cv2.cvtColor(contact_sheet(rows), cv2.COLOR_RGB2BGR)
    write_file(options.out, cv2.imencode(".png", sheet)[1].tobytes())
    print(f"{len(rows)} examples written to {options.out}")


def _stored(folder: Path, count: int, frames: int, generator: np.random.Generator) -> Iterator[Example]:
    """Genuine rows of a manifest, in random order."""
    manifest = load_manifest(folder)
    usable = [row for row in manifest.rows if row.num_frames == 1 or row.num_frames >= frames]
    rows = [row for row in usable if row.label == REAL]
    donors = Donors(manifest.root, rows) if rows else None
    for position in generator.permutation(len(rows))[:count]:
        assert donors is not None
        row = rows[position]
        chosen = donors.draw(int(position), generator)
        other = rows[chosen] if chosen is not None else row
        face, donor = (read_face(manifest.root, each, 0, frames, generator) for each in (row, other))
        yield Example(face.pixels[0], face, donor)


def _from_pictures(
    folder: Path, count: int, frames: int, generator: np.random.Generator
) -> Iterator[Example]:
    """Faces found in pictures; each one's donor is the one before it."""
    paths = sorted(path for path in folder.rglob("*") if is_picture(path))
    settings = of_one_frame(ExtractionSettings())  # pyright: ignore[reportCallIssue]
    extractor = FaceExtractor(settings)
    before: FaceFrames | None = None
    for index in generator.permutation(len(paths)):
        with PictureReader(paths[index]) as reader:
            found = next(iter(extractor.extract(reader)), None)
        if found is None:
            continue
        face = FaceFrames(found.pixels, found.landmarks)
        if frames > 1:
            face = FaceFrames(*still_clip(found.pixels[0], found.landmarks[0], frames, generator))
        if before is not None:
            yield Example(found.pixels[0], face, before)
            count -= 1
        if count == 0:
            return
        before = face


def _rows_of_kind(
    kind: str, examples: Sequence[Example], generator: np.random.Generator
) -> Iterator[list[np.ndarray]]:
    weights = dict.fromkeys(PseudoFakeSettings().weights(), 0.0) | {kind: 1.0}
    settings = PseudoFakeSettings.model_validate(weights)
    for example in examples:
        donor = (example.donor.pixels, example.donor.landmarks) if kind == "swap" else None
        pair = pseudo_fake_pair(example.face.pixels, example.face.landmarks, generator, settings, donor)
        if pair is None:
            print(f"{kind}: shows nothing on one face, which is left out")
            continue
        yield _row(example, pair)


def _row(example: Example, pair: PseudoFakePair) -> list[np.ndarray]:
    """Pictures of one size, (H, W, 3) uint8."""
    middle = len(pair.fake) // 2
    side = pair.fake.shape[1]
    real, fake = pair.real[middle], pair.fake[middle]
    difference = np.clip(3 * np.abs(fake.astype(int) - real), 0, 255).astype(np.uint8)
    mask = np.repeat((pair.mask[middle] * 255).astype(np.uint8)[..., None], 3, axis=-1)
    source = cv2.resize(example.source, (side, side), interpolation=cv2.INTER_AREA)
    times = np.linspace(0, len(pair.fake) - 1, FRAMES_OVER_TIME).round().astype(int)
    over_time = [pair.fake[time] for time in times] if len(pair.fake) > 1 else []
    return [source, real, fake, difference, mask, *over_time]


def contact_sheet(rows: Sequence[tuple[str, list[np.ndarray]]]) -> np.ndarray:
    """Named rows of pictures of one size -> one picture, (H, W, 3) uint8."""
    side = len(rows[0][1][0])
    columns = len(rows[0][1])
    captions = [*COLUMNS, *(f"fake, time {number}" for number in range(columns - len(COLUMNS)))]
    height = CAPTION_HEIGHT + len(rows) * (side + GAP)
    sheet = np.full((height, NAME_WIDTH + columns * (side + GAP), 3), 255, np.uint8)
    for column, caption in enumerate(captions):
        _write(sheet, caption, NAME_WIDTH + column * (side + GAP), 16)
    for number, (kind, pictures) in enumerate(rows):
        top = CAPTION_HEIGHT + number * (side + GAP)
        _write(sheet, kind, 4, top + side // 2)
        for column, picture in enumerate(pictures):
            left = NAME_WIDTH + column * (side + GAP)
            sheet[top : top + side, left : left + side] = picture
    return sheet


def _write(sheet: np.ndarray, text: str, left: int, bottom: int) -> None:
    cv2.putText(sheet, text, (left, bottom), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)


if __name__ == "__main__":
    main()
