"""A data set's JSON file as DeepfakeBench lays it out: data set, class, split, video, and its frames.

The frames are its crops of faces, a folder for each video; their paths, with either slash, are relative to
the JSON's folder here (DeepfakeBench's ``rgb_dir``), or absolute. A class whose name holds ``real`` is
genuine. A video in several splits is a test video, else one to train on: DeepfakeBench repeats either as its
validation videos. FaceForensics++ and DFD get the names and people that ``ffpp`` gives them, so that results
on both can be compared video by video.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from deepfake_ssat.corpora.ffpp import COMPRESSION_FOLDERS, ffpp_video
from deepfake_ssat.corpora.index import ORIGINAL, CorpusIndex, CorpusOptions, LeftOut, safe_id
from deepfake_ssat.errors import CorpusError
from deepfake_ssat.records import FAKE, REAL, SourceVideo
from deepfake_ssat.text import parse_json, read_text

CORPUS_NAMES = {
    "Celeb-DF-v1": "celebdf",
    "Celeb-DF-v2": "celebdf",
    "DFDC": "dfdc",
    "DFDCP": "dfdc-preview",
    "DeeperForensics-1.0": "deeperforensics",
}
"""Our names of its data sets; others keep theirs."""
SPLIT_ORDER = ("test", "train", "val")
FRAMES = "frames"
OF_FFPP = re.compile(r"FF-\w+|DFD_(real|fake)", re.IGNORECASE)
IS_GENUINE, IS_FAKE = re.compile("real", re.IGNORECASE), re.compile(r"fake|FF-", re.IGNORECASE)


@dataclass(frozen=True)
class _Entry:
    """One video of the file, in one split."""

    dataset: str
    name: str
    """Of its class, such as ``FF-DF``."""
    split: str
    folder: str
    """Of its frames, with forward slashes, as the file writes it."""


def index_deepfakebench(root: Path, options: CorpusOptions) -> CorpusIndex:
    """The videos of the JSON file ``root`` whose folders of frames are there; the others are reported."""
    videos, left_out = [], []
    for folder, video in listed_videos(root).items():
        if video.path.is_dir():
            videos.append(video)
        else:
            left_out.append(LeftOut(folder, "named in the JSON, not there"))
    if not videos:
        raise CorpusError(
            f"{root}: none of the {len(left_out)} folders of frames that it names is there, such as "
            f"{left_out[0].name}; paths are relative to {root.parent}"
        )
    return CorpusIndex(tuple(videos), tuple(left_out))


def listed_videos(file: Path) -> dict[str, SourceVideo]:
    """Every video of the file by the folder of its frames, whether that is there or not."""
    if not file.is_file():
        raise CorpusError(f"{file}: is no file; give a data set's JSON of DeepfakeBench")
    try:
        document = parse_json(read_text(file))
        entries = [
            entry
            for dataset, classes in document.items()
            for name, splits in classes.items()
            for split, members in splits.items()
            for entry in _entries(dataset, name, split, members)
        ]
    except (ValueError, AttributeError) as error:
        raise CorpusError(
            f'{file}: is no data set of DeepfakeBench ({error}); it looks like {{"UADFV": {{"UADFV_Real": '
            '{"test": {"0000": {"label": "UADFV_Real", "frames": ["…/frames/0000/000.png"]}}}}}'
        ) from error
    chosen: dict[str, _Entry] = {}
    for entry in sorted(entries, key=lambda entry: SPLIT_ORDER.index(entry.split)):
        first = chosen.setdefault(entry.folder, entry)
        if first.name != entry.name:
            raise CorpusError(
                f"{file}: {entry.folder} is listed as {first.name} and as {entry.name}; a video has one class"
            )
    if not chosen:
        raise CorpusError(f"{file}: lists no frames; give a data set's JSON of DeepfakeBench")
    return {folder: _source_video(entry, file) for folder, entry in chosen.items()}


def frame_folder(path: str) -> str:
    """The folder of a frame's path, written as in ``listed_videos``."""
    return PurePosixPath(path.replace("\\", "/")).parent.as_posix()


def _entries(dataset: str, name: str, split: str, members: Mapping[str, Any]) -> Iterator[_Entry]:
    """The videos below one split, whether or not a level of compressions lies between."""
    if split not in SPLIT_ORDER:
        raise ValueError(f"split {split!r} is none of {', '.join(SPLIT_ORDER)}")
    if isinstance(members.get("frames"), list):
        frames = members["frames"]
        if not all(isinstance(frame, str) for frame in frames):
            raise ValueError("frames are no list of paths")
        if frames:
            yield _Entry(dataset, name, split, frame_folder(frames[0]))
        return
    for below in members.values():
        yield from _entries(dataset, name, split, below)


def _source_video(entry: _Entry, file: Path) -> SourceVideo:
    label = _label(entry.name, file)
    path = file.parent / entry.folder
    parts = [safe_id(part) for part in PurePosixPath(entry.folder).parts if part not in (FRAMES, "/", "..")]
    compression = COMPRESSION_FOLDERS.get(parts[-2], "") if len(parts) > 1 else ""
    if OF_FFPP.fullmatch(entry.name) and compression and len(parts) > 2:
        return ffpp_video(path, parts[-1], parts[-3], compression, entry.split)
    corpus = CORPUS_NAMES.get(entry.dataset) or re.sub(r"[^\w-]", "", entry.dataset) or "deepfakebench"
    video_id = "/".join(parts[-2:])
    return SourceVideo(
        path=path,
        video_id=video_id,
        label=label,
        corpus=corpus,
        manipulation=ORIGINAL if label == REAL else entry.name,
        split=entry.split,
        group=video_id,
        is_aligned=False,
    )


def _label(name: str, file: Path) -> int:
    if IS_GENUINE.search(name):
        return REAL
    if IS_FAKE.search(name):
        return FAKE
    raise CorpusError(f"{file}: class {name!r} says neither real nor fake; name it so, such as {name}_fake")
