"""The DeepFake Detection Challenge (DFDC): training parts, Kaggle samples, validation and test sets.

Splits: training parts are train, except ``VALIDATION_PARTS`` (45 to 49, the last tenth of the official
fifty), which are val. A part keeps its split whatever other parts a copy has. The samples of Kaggle follow
their originals where those are present, else they are train. dfdc.ai's validation set is val, its test set
test; Kaggle's ``test_videos`` have no labels. DFDC publishes no identities: what must stay together is a
fake with its original.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepfake_ssat.corpora.files import find, list_folders, list_videos, relative_name
from deepfake_ssat.corpora.index import ORIGINAL, CorpusIndex, CorpusOptions, LeftOut
from deepfake_ssat.errors import CorpusError
from deepfake_ssat.records import FAKE, REAL, SourceVideo
from deepfake_ssat.text import parse_json, read_table, read_text

VALIDATION_PARTS = (45, 46, 47, 48, 49)
"""The last tenth of the official fifty."""
LABEL_FILES = ("metadata.json", "labels.csv")
PART_NAME = re.compile(r"dfdc_train_part_(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class _Entry:
    """What a label file says of one video."""

    label: int | None
    original: str | None = None
    of_test_set: bool = False


@dataclass(frozen=True)
class _Folder:
    """One folder of videos: a training part, a sample, or a labelled or unlabelled set."""

    path: Path
    part: int | None
    """The number of a training part, 7 for both ``_7`` and ``_07``."""
    label_files: tuple[Path, ...]

    @property
    def trust(self) -> tuple[int, int, str]:
        """Parts, samples, other labelled sets, unlabelled ones: of duplicates, the first is kept."""
        if self.part is not None:
            return 0, self.part, str(self.path)
        rank = 3 if not self.label_files else 1 if "sample" in self.path.name.lower() else 2
        return rank, 0, str(self.path)


def index_dfdc(root: Path, options: CorpusOptions) -> CorpusIndex:
    """Every folder with videos, two levels deep; absent files are reported, not refused."""
    videos: dict[str, SourceVideo] = {}
    left_out: list[LeftOut] = []
    split_of_group: dict[str, str] = {}
    for folder in _folders(root):
        entries = _read_labels(folder)
        paths = [*list_videos(folder.path), *list_videos(find(folder.path, "videos"))]
        files = {path.name.lower(): path for path in paths}
        for name in sorted(entries.keys() - files.keys()):
            missing = relative_name(folder.path / name, root)
            left_out.append(LeftOut(missing, "named in the label file, not in this copy"))
        for name, path in sorted(files.items()):
            if folder.label_files and name not in entries:
                left_out.append(LeftOut(relative_name(path, root), "not named in its folder's label file"))
            elif name in videos:
                left_out.append(LeftOut(relative_name(path, root), "same video in another folder"))
            else:
                entry = entries.get(name, _Entry(None))
                group = Path(entry.original or name).stem
                split = _split(folder, entry, options, split_of_group.get(group))
                split_of_group.setdefault(group, split)
                videos[name] = _source_video(path, folder, entry, split, group)
    if not videos:
        raise CorpusError(
            f"{root}: no DFDC video; expected dfdc_train_part_<n>/, train_sample_videos/, or a folder with "
            "labels.csv or metadata.json and its mp4 files"
        )
    return CorpusIndex(tuple(videos.values()), tuple(left_out))


def _folders(root: Path) -> list[_Folder]:
    """Folders with videos or label files, in the order of trust."""
    if not root.is_dir():
        raise CorpusError(f"{root}: is no folder")
    children = list_folders(root)
    below = [path for child in children for path in list_folders(child)]
    found = []
    for path in [root, *children, *below]:
        labels = tuple(file for name in LABEL_FILES if (file := find(path, name)).is_file())
        videos = [*list_videos(path), *list_videos(find(path, "videos"))]
        if labels or (videos and path.name.lower() != "videos"):
            match = PART_NAME.fullmatch(path.name)
            found.append(_Folder(path, int(match.group(1)) if match else None, labels))
    return sorted(found, key=lambda folder: folder.trust)


def _read_labels(folder: _Folder) -> dict[str, _Entry]:
    """What the folder's label files say; refuses files that contradict each other."""
    entries: dict[str, _Entry] = {}
    for path in folder.label_files:
        read = _read_metadata(path) if path.suffix.lower() == ".json" else _read_csv(path)
        for name, entry in read.items():
            if entries.setdefault(name, entry).label != entry.label:
                raise CorpusError(
                    f"{path}: {name} has another label in {LABEL_FILES[0]}; one of them is wrong"
                )
    return entries


def _read_metadata(path: Path) -> dict[str, _Entry]:
    """Training: ``{"x.mp4": {"label": "FAKE", "original": "y.mp4"}}``; test set: ``{"is_fake": 1}``."""
    try:
        values: dict[str, dict[str, Any]] = parse_json(read_text(path))
        return {name.lower(): _entry(value) for name, value in values.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorpusError(f"{path}: is no DFDC metadata (label or is_fake of each video): {error}") from error


def _entry(value: Mapping[str, Any]) -> _Entry:
    if "is_fake" in value:
        return _Entry(_checked(int(value["is_fake"])), of_test_set=True)
    label = {"REAL": REAL, "FAKE": FAKE}[str(value["label"]).upper()]
    original = value.get("original") if label == FAKE else None
    return _Entry(label, original.lower() if original else None)


def _read_csv(path: Path) -> dict[str, _Entry]:
    """``filename,label`` with 1 = fake."""
    rows = [row.values for row in read_table(path, required=("filename", "label"))]
    try:
        return {row["filename"].lower(): _Entry(_checked(int(row["label"]))) for row in rows}
    except ValueError as error:
        raise CorpusError(f"{path}: needs the columns filename,label with label 0 or 1: {error}") from error


def _checked(label: int) -> int:
    if label not in (REAL, FAKE):
        raise ValueError(f"label {label} is neither 0 nor 1")
    return label


def _split(folder: _Folder, entry: _Entry, options: CorpusOptions, of_original: str | None) -> str:
    """By part number, by the original for samples, by the kind of label file for the other sets."""
    if folder.part is not None:
        held_out = VALIDATION_PARTS if options.validation_parts is None else options.validation_parts
        return "val" if folder.part in held_out else "train"
    names = {path.name.lower() for path in folder.label_files}
    if not names or entry.of_test_set:
        return "test"
    if "metadata.json" in names:
        return of_original or "train"
    return "test" if "test" in folder.path.name.lower() else "val"


def _source_video(path: Path, folder: _Folder, entry: _Entry, split: str, group: str) -> SourceVideo:
    place = f"part_{folder.part}" if folder.part is not None else folder.path.name
    manipulation = {REAL: ORIGINAL, FAKE: "DFDC", None: "unlabelled"}[entry.label]
    return SourceVideo(
        path=path,
        video_id=f"{place}/{path.stem.lower()}",
        label=entry.label,
        corpus="dfdc",
        manipulation=manipulation,
        split=split,
        group=group,
        original_id=f"{place}/{group}" if entry.original else "",
    )
