"""Any folder with ``real/`` and ``fake/<method>/``, or with those below ``train/``, ``val/`` and ``test/``.

A sub-folder below ``real/`` or below a method is a person: everything in it stays in one split. Without
sub-folders, files of the same name belong together (``real/a.mp4`` and ``fake/Swap/a.mp4``). Splits come
from the folders, else from a hash of person or name: 80 % train, 10 % val, 10 % test. Still pictures are
sources of one frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from deepfake_ssat.corpora.index import (
    ORIGINAL,
    CorpusIndex,
    CorpusOptions,
    LeftOut,
    is_picture,
    is_video,
    relative_name,
    unique_ids,
)
from deepfake_ssat.corpora.splits import split_by_hash
from deepfake_ssat.errors import CorpusError
from deepfake_ssat.records import FAKE, REAL, SPLITS, SourceVideo


def index_folder(root: Path, options: CorpusOptions) -> CorpusIndex:
    """Every video and picture below ``real/`` and ``fake/``; other files are reported."""
    presplit = [split for split in SPLITS if (root / split).is_dir()]
    if presplit and any((root / name).is_dir() for name in ("real", "fake")):
        raise CorpusError(f"{root}: has both {presplit[0]}/ and real/ or fake/; keep one of the two layouts")
    places = {split: root / split for split in presplit} or {"": root}
    found = [(split, base, path) for split, base in places.items() for path in _files(base)]
    paths = [path for _, _, path in found if is_video(path) or is_picture(path)]
    ids = dict(zip(paths, unique_ids(paths, root), strict=True))
    videos = [_source_video(path, base, split, ids[path]) for split, base, path in found if path in ids]
    left_out = [LeftOut(relative_name(path, root), "no video") for _, _, path in found if path not in ids]
    if not videos:
        raise CorpusError(f"{root}: no video below real/ or fake/<method>/ (nor below train/, val/, test/)")
    return CorpusIndex(tuple(videos if presplit else split_by_hash(videos)), tuple(left_out))


def _files(base: Path) -> Iterator[Path]:
    """Files below real/ and fake/, hidden ones left aside, in a fixed order."""
    for name in ("real", "fake"):
        for path in sorted((base / name).rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                yield path


def _source_video(path: Path, base: Path, split: str, video_id: str) -> SourceVideo:
    kind, *folders = path.relative_to(base).parts[:-1]
    label = REAL if kind == "real" else FAKE
    method = ORIGINAL
    if label == FAKE:
        method, folders = (folders[0], folders[1:]) if folders else ("fake", [])
    person = "/".join(folders)
    # In a pre-split folder equal names mean nothing: 0001.mp4 occurs in train and in test.
    group = person or (f"{split}/{path.stem}" if split else path.stem)
    return SourceVideo(
        path=path,
        video_id=video_id,
        label=label,
        corpus="folder",
        manipulation=method,
        split=split,
        identities=(person,) if person else (),
        group=group,
    )
