"""Any folder with ``real/`` and ``fake/<method>/``, or with those below ``train/``, ``val/`` and ``test/``.

A sub-folder below ``real/`` or below a method is a person: everything in it stays in one split. Without
sub-folders, files of the same name belong together (``real/a.mp4`` and ``fake/Swap/a.mp4``). Splits come
from the folders, else from a hash of person or name: 80 % train, 10 % val, 10 % test. Still pictures are
sources of one frame; a folder of pictures in one called ``frames/`` or ``images/`` is a video's frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deepfake_ssat.corpora.files import (
    FRAME_FOLDERS,
    find,
    is_picture,
    is_text,
    is_video,
    relative_name,
    walk,
)
from deepfake_ssat.corpora.index import ORIGINAL, CorpusIndex, CorpusOptions, LeftOut, unique_ids
from deepfake_ssat.corpora.splits import split_by_hash
from deepfake_ssat.errors import CorpusError
from deepfake_ssat.manifest.table import IDENTITY_SEPARATOR
from deepfake_ssat.records import FAKE, REAL, SPLITS, SourceVideo

KINDS = {"real": REAL, "fake": FAKE}


@dataclass(frozen=True)
class _Place:
    """One of the folders that tell a label, and with it a split."""

    path: Path
    label: int
    split: str
    """Empty where the layout has none."""


def index_folder(root: Path, options: CorpusOptions) -> CorpusIndex:
    """Every video and picture below ``real/`` and ``fake/``, links followed; other files are reported."""
    places = _places(root)
    found: list[tuple[_Place, Path]] = []
    left_out = []
    for place in places:
        for folder in walk(place.path):
            if folder.is_repeated:
                left_out.append(LeftOut(relative_name(folder.path, root), "a link to what is listed already"))
            if folder.path.parent.name.lower() in FRAME_FOLDERS and folder.path.parent != root:
                found.append((place, folder.path))
                continue
            for path in (folder.path / name for name in folder.files if not name.startswith(".")):
                name = relative_name(path, root)
                if not is_video(path) and not is_picture(path):
                    left_out.append(LeftOut(name, "no video"))
                elif not is_text(name):
                    left_out.append(LeftOut(name, "its name is not UTF-8: rename it"))
                else:
                    found.append((place, path))
    if not found:
        raise CorpusError(f"{root}: no video below real/ or fake/<method>/ (nor below train/, val/, test/)")
    ids = unique_ids([path for _, path in found], root)
    videos = [_source_video(path, place, name) for (place, path), name in zip(found, ids, strict=True)]
    is_split = bool(places[0].split)
    return CorpusIndex(tuple(videos if is_split else split_by_hash(videos)), tuple(left_out))


def _places(root: Path) -> list[_Place]:
    """``real/`` and ``fake/``, or those below each split; refuses a mixture of both layouts."""
    direct = [_Place(find(root, name), label, "") for name, label in KINDS.items()]
    below = [
        _Place(find(root, split, name), label, split) for split in SPLITS for name, label in KINDS.items()
    ]
    direct, below = ([place for place in places if place.path.is_dir()] for places in (direct, below))
    if direct and below:
        raise CorpusError(
            f"{root}: has both {below[0].split}/ and {direct[0].path.name}/; keep one of the two layouts"
        )
    return direct or below


def _source_video(path: Path, place: _Place, video_id: str) -> SourceVideo:
    folders = tuple(
        part for part in path.relative_to(place.path).parts[:-1] if part.lower() not in FRAME_FOLDERS
    )
    method = ORIGINAL
    if place.label == FAKE:
        method, folders = (folders[0], folders[1:]) if folders else ("fake", ())
    person = "/".join(folders).replace(IDENTITY_SEPARATOR, "_")
    # In a pre-split folder equal names mean nothing: 0001.mp4 occurs in train and in test.
    group = person or (f"{place.split}/{path.stem}" if place.split else path.stem)
    return SourceVideo(
        path=path,
        video_id=video_id,
        label=place.label,
        corpus="folder",
        manipulation=method,
        split=place.split,
        identities=(person,) if person else (),
        group=group,
    )
