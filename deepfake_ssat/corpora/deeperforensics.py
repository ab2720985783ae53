"""DeeperForensics-1.0: fakes ``<target>_<actor>.mp4`` on FaceForensics++ targets, with official splits.

Its authors: the actors' ``source_videos`` are not the genuine part (studio recordings, which anything tells
apart); that part is the FaceForensics++ originals, which they may not distribute. Put or link those (c23)
as ``target_videos/000.mp4`` …; each then has the split of the fakes made on it.
"""

from __future__ import annotations

import re
from pathlib import Path

from deepfake_ssat.corpora.files import (
    VIDEO_SUFFIXES,
    find,
    has_suffix,
    list_folders,
    list_videos,
    relative_name,
    walk,
)
from deepfake_ssat.corpora.index import ORIGINAL, CorpusIndex, CorpusOptions, LeftOut
from deepfake_ssat.errors import CorpusError, TextError
from deepfake_ssat.records import FAKE, REAL, SPLITS, SourceVideo
from deepfake_ssat.text import read_text

FAKE_NAME = re.compile(r"(\d{3})_([MW]\d+)")


def index_deeperforensics(root: Path, options: CorpusOptions) -> CorpusIndex:
    """Every variant of ``manipulated_videos`` and the linked targets; source videos are left out, counted."""
    split_of = _read_splits(find(root, "lists", "splits"))
    split_of_target = {name[:3]: split for name, split in split_of.items()}
    videos, left_out = [], []
    for variant in list_folders(find(root, "manipulated_videos")):
        for path in list_videos(variant):
            name = path.stem.upper()
            match = FAKE_NAME.fullmatch(name)
            if match is None or name not in split_of:
                left_out.append(LeftOut(relative_name(path, root), "in no split list"))
                continue
            target, actor = match.groups()
            people = (f"target{target}", actor)
            videos.append(_source_video(path, variant.name, FAKE, split_of[name], people))
    for path in list_videos(find(root, "target_videos")):
        if path.stem in split_of_target:
            split, people = split_of_target[path.stem], (f"target{path.stem}",)
            videos.append(_source_video(path, ORIGINAL, REAL, split, people))
        else:
            left_out.append(LeftOut(relative_name(path, root), "target of no listed fake"))
    if not videos:
        raise CorpusError(
            f"{root}: no listed DeeperForensics video; expected manipulated_videos/end_to_end/000_M101.mp4"
        )
    return CorpusIndex(tuple(videos), (*left_out, *_source_recordings(root)))


def _source_recordings(root: Path) -> list[LeftOut]:
    folder = find(root, "source_videos")
    return [
        LeftOut(
            relative_name(listing.path / name, root), "source recording of an actor, not the genuine part"
        )
        for listing in (walk(folder) if folder.is_dir() else ())
        for name in listing.files
        if has_suffix(name, VIDEO_SUFFIXES)
    ]


def _read_splits(folder: Path) -> dict[str, str]:
    """File stem such as ``000_M101`` to split, from ``{train,val,test}.txt``."""
    split_of: dict[str, str] = {}
    for split in SPLITS:
        path = find(folder, f"{split}.txt")
        try:
            names = [Path(name).stem.upper() for name in read_text(path).split()]
        except TextError as error:
            raise CorpusError(f"{error} (it is part of the download)") from error
        for name in names:
            if split_of.setdefault(name, split) != split:
                raise CorpusError(f"{path}: {name} is in {split_of[name]}.txt too")
    return split_of


def _source_video(path: Path, variant: str, label: int, split: str, people: tuple[str, ...]) -> SourceVideo:
    return SourceVideo(
        path=path,
        video_id=f"{variant}/{path.stem.upper()}",
        label=label,
        corpus="deeperforensics",
        manipulation=variant,
        split=split,
        identities=people,
        group=people[0],
        original_id="" if label == REAL else f"{ORIGINAL}/{path.stem[:3]}",
    )
