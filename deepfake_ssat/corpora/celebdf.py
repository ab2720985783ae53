"""Celeb-DF v1, v2 and Celeb-DF++ (v3); ``List_of_testing_videos.txt`` writes 1 for real and 0 for fake.

Celeb-DF++ keeps its fakes in ``Celeb-synthesis/<family>/<method>/``, such as ``TalkingFace/FLOAT``.

The official test list shares nearly all its celebrities with the remaining videos, which the field trains
on; here no identity may be in two splits. So the official rule (the default) keeps the test list whole and,
for train and val, only videos of people who are not in it. To train on Celeb-DF, ``split_by_identity``
makes splits of our own along groups of people who were swapped with each other; numbers on that test set
are not comparable with published ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deepfake_ssat.corpora.files import (
    find,
    list_folders,
    list_frame_folders,
    list_videos,
    preferred,
    relative_name,
)
from deepfake_ssat.corpora.index import ORIGINAL, CorpusIndex, CorpusOptions, LeftOut
from deepfake_ssat.corpora.splits import split_by_size
from deepfake_ssat.errors import CorpusError, TextError
from deepfake_ssat.records import FAKE, REAL, SourceVideo
from deepfake_ssat.text import read_text

REAL_FOLDERS = {
    "Celeb-real": re.compile(r"(?P<target>id\d+)_\d+"),
    "YouTube-real": re.compile(r"\d+"),
}
FAKE_FOLDER = "Celeb-synthesis"
SWAP_NAME = re.compile(r"(?P<target>id\d+)_(?P<source>id\d+)_(?P<recording>\d+)")
METHOD_NAME = re.compile(r"(?P<target>id\d+)_(?:(?P<source>id\d+)_)?(?P<recording>\d+)(?:_.+)?")
"""Celeb-DF++: talking faces have a voice for a source, ``<target>_<recording>_<voice>``."""

TEST_LIST = "List_of_testing_videos.txt"
LISTED_LABELS = {"1": REAL, "0": FAKE}


@dataclass(frozen=True)
class _Folder:
    """One folder of videos."""

    path: Path
    official: str
    """Its official name, or ``Celeb-synthesis/<family>/<method>``: its videos' ids begin with it."""
    label: int
    names: re.Pattern[str]


def index_celebdf(root: Path, options: CorpusOptions) -> CorpusIndex:
    """The three folders and the methods below ``Celeb-synthesis``: ``*.mp4``, ``videos/`` or ``frames/``."""
    listed = {} if options.split_by_identity else read_test_list(find(root, TEST_LIST))
    videos: dict[str, SourceVideo] = {}
    left_out: list[LeftOut] = []
    for folder in _folders(root):
        videos_here = [*list_videos(folder.path), *list_videos(find(folder.path, "videos"))]
        for path in preferred(videos_here, list_frame_folders(folder.path), options.crops):
            video = _source_video(path, folder, listed)
            if video is None:
                left_out.append(LeftOut(relative_name(path, root), "not a Celeb-DF file name"))
            elif video.video_id in videos:
                left_out.append(LeftOut(relative_name(path, root), "same video in another folder"))
            else:
                videos[video.video_id] = video
    if not videos:
        expected = ", ".join((*REAL_FOLDERS, FAKE_FOLDER))
        raise CorpusError(f"{root}: no Celeb-DF video; expected {expected} with *.mp4")
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
        lines = [line.split(maxsplit=1) for line in read_text(path).split("\n") if line.strip()]
        return {_listed_id(name.strip()): LISTED_LABELS[label] for label, name in lines}
    except (TextError, ValueError, KeyError) as error:
        raise CorpusError(
            f"{path}: cannot be read ({error}); it has lines such as '1 Celeb-real/id1_0007.mp4' "
            "and belongs to the download (or use splits by identity)"
        ) from error


def _listed_id(name: str) -> str:
    """``Youtube-real/videos/00170.mp4`` -> ``YouTube-real/00170``."""
    folder, *methods, file = name.replace("\\", "/").split("/")
    official = {known.lower(): known for known in (*REAL_FOLDERS, FAKE_FOLDER)}[folder.lower()]
    methods = [method for method in methods if method.lower() != "videos"]
    return "/".join((official, *methods, Path(file).stem.lower()))


def _folders(root: Path) -> Iterator[_Folder]:
    for official, names in REAL_FOLDERS.items():
        yield _Folder(find(root, official), official, REAL, names)
    fakes = find(root, FAKE_FOLDER)
    yield _Folder(fakes, FAKE_FOLDER, FAKE, SWAP_NAME)
    for family in list_folders(fakes):
        for method in list_folders(family):
            official = f"{FAKE_FOLDER}/{family.name}/{method.name}"
            yield _Folder(method, official, FAKE, METHOD_NAME)


def _source_video(path: Path, folder: _Folder, listed: Mapping[str, int]) -> SourceVideo | None:
    """One video; None where its name is not of the folder's form."""
    stem = (path.name if path.is_dir() else path.stem).lower()
    match = folder.names.fullmatch(stem)
    if match is None:
        return None
    people = match.groupdict()
    identities = tuple(people[role] for role in ("target", "source") if people.get(role))
    video_id = f"{folder.official}/{stem}"
    original = f"Celeb-real/{people['target']}_{people['recording']}" if folder.label == FAKE else ""
    return SourceVideo(
        path=path,
        video_id=video_id,
        label=folder.label,
        corpus="celebdf",
        manipulation=ORIGINAL if folder.label == REAL else folder.official.rpartition("/")[2],
        split="test" if video_id in listed else "train",
        identities=identities,
        group=identities[0] if identities else f"youtube{stem}",
        original_id=original,
        is_aligned=False,  # Talking faces move anew; of swaps, no source says that frames are kept.
    )


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
