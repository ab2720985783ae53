"""DeeperForensics-1.0: fakes ``<target>_<actor>.mp4`` on FaceForensics++ targets, with official splits.

Its authors: the actors' ``source_videos`` are not the genuine part (studio recordings, which anything tells
apart); that part is the FaceForensics++ originals, which they may not distribute. Put or link those (c23)
as ``target_videos/000.mp4`` …; each then has the split of the fakes made on it.
"""

from __future__ import annotations

import re
from pathlib import Path

from deepfake_ssat.corpora.index import (
    ORIGINAL,
    CorpusIndex,
    CorpusOptions,
    LeftOut,
    list_videos,
    relative_name,
)
from deepfake_ssat.errors import CorpusError
from deepfake_ssat.records import FAKE, REAL, SPLITS, SourceVideo

FAKE_NAME = re.compile(r"(\d{3})_([MW]\d+)")


def index_deeperforensics(root: Path, options: CorpusOptions) -> CorpusIndex:
    """Every variant of ``manipulated_videos`` and the linked targets; source videos are left out, counted."""
    split_of = _read_splits(root / "lists" / "splits")
    manipulated = root / "manipulated_videos"
    variants = sorted(path for path in manipulated.iterdir() if path.is_dir()) if manipulated.is_dir() else []
    split_of_target = {name[:3]: split for name, split in split_of.items()}
    videos, left_out = [], []
    for variant in variants:
        for path in list_videos(variant):
            match = FAKE_NAME.fullmatch(path.stem)
            if match is None or path.stem not in split_of:
                left_out.append(LeftOut(relative_name(path, root), "in no split list"))
                continue
            target, actor = match.groups()
            split = split_of[path.stem]
            videos.append(_source_video(path, variant.name, FAKE, split, (f"target{target}", actor)))
    for path in list_videos(root / "target_videos"):
        if path.stem in split_of_target:
            split, people = split_of_target[path.stem], (f"target{path.stem}",)
            videos.append(_source_video(path, ORIGINAL, REAL, split, people))
        else:
            left_out.append(LeftOut(relative_name(path, root), "target of no listed fake"))
    if not videos:
        raise CorpusError(
            f"{root}: no listed DeeperForensics video; expected manipulated_videos/end_to_end/000_M101.mp4"
        )
    left_out += [
        LeftOut(relative_name(path, root), "source recording of an actor, not the genuine part")
        for path in sorted((root / "source_videos").rglob("*.mp4"))
    ]
    return CorpusIndex(tuple(videos), tuple(left_out))


def _read_splits(folder: Path) -> dict[str, str]:
    """File stem such as ``000_M101`` to split, from ``{train,val,test}.txt``."""
    split_of: dict[str, str] = {}
    for split in SPLITS:
        path = folder / f"{split}.txt"
        try:
            names = path.read_text(encoding="utf-8").split()
        except OSError as error:
            raise CorpusError(
                f"{path}: cannot be read ({error.strerror}); it is part of the download"
            ) from error
        for name in names:
            if split_of.setdefault(Path(name).stem, split) != split:
                raise CorpusError(f"{path}: {name} is in {split_of[Path(name).stem]}.txt too")
    return split_of


def _source_video(path: Path, variant: str, label: int, split: str, people: tuple[str, ...]) -> SourceVideo:
    return SourceVideo(
        path=path,
        video_id=f"{variant}/{path.stem}",
        label=label,
        corpus="deeperforensics",
        manipulation=variant,
        split=split,
        identities=people,
        group=people[0],
    )
