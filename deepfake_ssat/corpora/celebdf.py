"""Celeb-DF v1 and v2; ``List_of_testing_videos.txt`` writes 1 for real and 0 for fake.

The official test list shares nearly all its celebrities with the remaining videos, which the field trains
on; here no identity may be in two splits. So the official rule (the default) keeps the test list whole and,
for train and val, only videos of people who are not in it. To train on Celeb-DF, ``split_by_identity``
makes splits of our own along groups of people who were swapped with each other; numbers on that test set
are not comparable with published ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from deepfake_ssat.corpora.index import (
    ORIGINAL,
    CorpusIndex,
    CorpusOptions,
    LeftOut,
    holds_pictures,
    list_videos,
    relative_name,
)
from deepfake_ssat.corpora.splits import split_by_size
from deepfake_ssat.errors import CorpusError
from deepfake_ssat.records import FAKE, REAL, SourceVideo

FOLDERS = {
    "Celeb-real": ("Celeb-real", REAL, re.compile(r"(id\d+)_\d+")),
    "YouTube-real": ("YouTube-real", REAL, re.compile(r"\d+")),
    "Youtube-real": ("YouTube-real", REAL, re.compile(r"\d+")),
    "Celeb-synthesis": ("Celeb-synthesis", FAKE, re.compile(r"(id\d+)_(id\d+)_\d+")),
}
"""Folder name on disk to the official one, the label, and the file names with their people."""

TEST_LIST = "List_of_testing_videos.txt"
LISTED_LABELS = {"1": REAL, "0": FAKE}


def index_celebdf(root: Path, options: CorpusOptions) -> CorpusIndex:
    """The three folders, with or without ``videos/`` below them."""
    listed = {} if options.split_by_identity else read_test_list(root / TEST_LIST)
    videos: dict[str, SourceVideo] = {}
    left_out: list[LeftOut] = []
    for folder_name, (official, label, pattern) in FOLDERS.items():
        folder = root / folder_name
        paths = [*list_videos(folder), *list_videos(folder / "videos")]
        if not paths and holds_pictures(folder):
            left_out.append(LeftOut(folder_name, "extracted frames: only videos are read"))
        for path in paths:
            match = pattern.fullmatch(path.stem)
            video_id = f"{official}/{path.stem}"
            if match is None:
                left_out.append(LeftOut(relative_name(path, root), "not a Celeb-DF file name"))
            elif video_id not in videos:
                videos[video_id] = SourceVideo(
                    path=path,
                    video_id=video_id,
                    label=label,
                    corpus="celebdf",
                    manipulation=ORIGINAL if label == REAL else official,
                    split="test" if video_id in listed else "train",
                    identities=match.groups(),
                    group=match.groups()[0] if match.groups() else f"youtube{path.stem}",
                )
    if not videos:
        raise CorpusError(f"{root}: no Celeb-DF video; expected {', '.join(sorted(FOLDERS))} with *.mp4")
    _check_labels(videos, listed, root)
    left_out += [
        LeftOut(f"{name}.mp4", f"named in {TEST_LIST}, not in this copy")
        for name in sorted(listed.keys() - videos.keys())
    ]
    if options.split_by_identity:
        return CorpusIndex(tuple(split_by_size(list(videos.values()))), tuple(left_out))
    return _official_splits(list(videos.values()), left_out, root)


def read_test_list(path: Path) -> dict[str, int]:
    """Video id such as ``Celeb-real/id1_0007`` to its label, 0 real and 1 fake."""
    try:
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        listed = {}
        for label, name in lines:
            folder, *_, file = name.split("/")
            listed[f"{FOLDERS[folder][0]}/{Path(file).stem}"] = LISTED_LABELS[label]
    except (OSError, ValueError, KeyError) as error:
        raise CorpusError(
            f"{path}: cannot be read ({error}); it has lines such as '1 Celeb-real/id1_0007.mp4' "
            "and belongs to the download (or use splits by identity)"
        ) from error
    return listed


def _check_labels(videos: Mapping[str, SourceVideo], listed: Mapping[str, int], root: Path) -> None:
    """A list with 0 and 1 exchanged is noticed, not obeyed."""
    for video_id in sorted(listed.keys() & videos.keys()):
        if videos[video_id].label != listed[video_id]:
            raise CorpusError(
                f"{root / TEST_LIST}: {video_id} is listed as {'fake' if listed[video_id] else 'real'}, its "
                "folder says the opposite; the official list writes 1 for real and 0 for fake"
            )


def _official_splits(videos: list[SourceVideo], left_out: list[LeftOut], root: Path) -> CorpusIndex:
    """Test as listed; of the others, those without a person of the test list, a tenth of them for val."""
    test = [video for video in videos if video.split == "test"]
    tested = {name for video in test for name in video.identities}
    others = [video for video in videos if video.split != "test"]
    apart = [video for video in others if not tested.intersection(video.identities)]
    left_out += [
        LeftOut(relative_name(video.path, root), "shows a person of the official test list")
        for video in others
        if tested.intersection(video.identities)
    ]
    divided = split_by_size(apart, {"train": 0.9, "val": 0.1})
    return CorpusIndex(tuple(divided + test), tuple(left_out))
