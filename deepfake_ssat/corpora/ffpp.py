"""FaceForensics++ with FaceShifter and DeepFakeDetection (DFD), as the official script lays them out.

Official splits: from the root, ``splits/`` or ``dataset/splits/`` where the user has them, else the bundled
lists (identical). DFD has no official split and is test only; its videos have the corpus name ``dfd``.
Kaggle's copies, ``FaceForensics++_C23/<method>/``, are read as well, under the same ids; so are extracted
frames, ``<compression>/frames/<video>/*.png``, where a method has no videos.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
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
from deepfake_ssat.errors import CorpusError
from deepfake_ssat.records import FAKE, REAL, SPLITS, SourceVideo
from deepfake_ssat.text import parse_json, read_text

METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
DFD = "DeepFakeDetection"
ORIGINALS = ("youtube", "actors")
COMPRESSION_FOLDERS = {"raw": "raw", "c0": "raw", "c23": "c23", "c40": "c40"}
"""Folder name to compression: the download script says raw, the documentation c0."""
FLAT_NAME = re.compile(r"faceforensics.*_(raw|c0|c23|c40)", re.IGNORECASE)

BUNDLED_SPLITS = Path(__file__).parent / "ffpp_splits"


@dataclass(frozen=True)
class _Folder:
    """One folder of videos: of one method, in one compression."""

    sources: tuple[Path, ...]
    """Video files; where there are none, folders of extracted frames."""
    method: str
    """As ids have it: ``youtube`` and ``actors`` for originals."""
    compression: str
    masks: Path | None = None


def index_ffpp(root: Path, options: CorpusOptions) -> CorpusIndex:
    """Originals, fakes and DFD; a video whose ids are in no split list is left out, with that reason."""
    split_of = read_splits(root)
    wanted = {COMPRESSION_FOLDERS.get(name, name) for name in options.compressions}
    unknown = wanted - set(COMPRESSION_FOLDERS.values())
    if unknown:
        raise CorpusError(f"compression {min(unknown)!r} is none of raw (c0), c23, c40")
    videos: dict[tuple[str, str], SourceVideo] = {}
    left_out: list[LeftOut] = []
    for folder in [*_official_folders(root, options), *_flat_folders(root)]:
        for path in folder.sources:
            video = _source_video(path, folder, split_of)
            if isinstance(video, str):
                left_out.append(LeftOut(relative_name(path, root), video))
            elif (video.corpus, video.video_id) in videos:
                left_out.append(
                    LeftOut(relative_name(path, root), "same video twice, such as in raw/ and c0/")
                )
            else:
                videos[video.corpus, video.video_id] = video
    if not videos and not left_out:
        raise CorpusError(
            f"{root}: no FaceForensics++ video; expected original_sequences/youtube/c23/videos/*.mp4 or "
            "manipulated_sequences/<method>/c23/videos/*.mp4 below it (or frames/<video>/*.png), or Kaggle's "
            "FaceForensics++_C23/<method>/*.mp4 (the folder's name tells the compression)"
        )
    return CorpusIndex(tuple(_with_original(video, videos) for video in videos.values()), tuple(left_out))


def _with_original(video: SourceVideo, videos: Mapping[tuple[str, str], SourceVideo]) -> SourceVideo:
    """A fake with the path of its original where this copy has it, frame for frame: DFD's is not."""
    original = videos.get((video.corpus, video.original_id))
    if original is None or video.corpus == "dfd" or original.path.is_dir() != video.path.is_dir():
        return video
    return replace(video, original_path=original.path)


def _official_folders(root: Path, options: CorpusOptions) -> Iterator[_Folder]:
    """``original_sequences`` and every method of ``manipulated_sequences``, official or not."""
    originals = find(root, "original_sequences")
    methods = [(name, find(originals, name)) for name in ("youtube", "actors")]
    known = {name.lower(): name for name in (*METHODS, DFD)}
    methods += [
        (known.get(path.name.lower(), path.name), path)
        for path in list_folders(find(root, "manipulated_sequences"))
    ]
    for method, path in methods:
        for name, compression in COMPRESSION_FOLDERS.items():
            place = find(path, name)
            videos = list_videos(find(place, "videos"))
            yield _Folder(
                sources=tuple(preferred(videos, list_frame_folders(place), options.crops)),
                method=method,
                compression=compression,
                masks=find(path, "masks", "videos"),
            )


def _flat_folders(root: Path) -> Iterator[_Folder]:
    """Kaggle's copies: ``FaceForensics++_C23/<method>/``, originals in ``original/``."""
    for base in [root, *list_folders(root)]:
        match = FLAT_NAME.fullmatch(base.resolve().name)
        if match is None:
            continue
        compression = COMPRESSION_FOLDERS[match.group(1).lower()]
        yield _Folder(tuple(list_videos(find(base, ORIGINAL))), "youtube", compression)
        for method in (*METHODS, DFD):
            yield _Folder(tuple(list_videos(find(base, method))), method, compression)


def read_splits(root: Path) -> dict[str, str]:
    """The split of each YouTube id, from the user's lists or the bundled ones."""
    for folder in (root, find(root, "splits"), find(root, "dataset", "splits"), BUNDLED_SPLITS):
        present = [split for split in SPLITS if find(folder, f"{split}.json").is_file()]
        if not present:
            continue
        if len(present) < len(SPLITS):
            missing = next(split for split in SPLITS if split not in present)
            raise CorpusError(
                f"{folder}: {missing}.json is missing beside {present[0]}.json; add or remove it"
            )
        return _read_split_lists(folder)
    raise CorpusError("the bundled FaceForensics++ split lists are missing; install the package again")


def _read_split_lists(folder: Path) -> dict[str, str]:
    """Ids of the pairs in ``{train,val,test}.json``; refuses an id in two lists."""
    split_of: dict[str, str] = {}
    for split in SPLITS:
        path = find(folder, f"{split}.json")
        try:
            pairs = parse_json(read_text(path))
            # An id that lost its zeros on the way, 71 for 071, is the same id.
            ids = [str(name).strip().zfill(3) for target, source in pairs for name in (target, source)]
        except (ValueError, TypeError) as error:
            raise CorpusError(f'{path}: is no list of pairs such as [["071", "054"]] ({error})') from error
        for name in ids:
            if split_of.setdefault(name, split) != split:
                raise CorpusError(f"{path}: id {name} is in {split_of[name]}.json too; an id has one split")
    return split_of


def _source_video(path: Path, folder: _Folder, split_of: Mapping[str, str]) -> SourceVideo | str:
    """One video, or the reason why it is left out."""
    method, stem = folder.method, path.name if path.is_dir() else path.stem
    people = _people(stem, method)
    if not people:
        return "the name is not <id>.mp4 (original) or <target>_<source>.mp4 (fake)"
    if not _is_dfd(method) and any(name not in split_of for name in people):
        return "in no split list"
    video = ffpp_video(path, stem, method, folder.compression, split_of.get(people[0], "test"))
    mask = find(folder.masks, path.name) if folder.masks and video.label == FAKE else None
    return replace(video, mask_path=mask) if mask and mask.is_file() else video


def ffpp_video(path: Path, stem: str, method: str, compression: str, split: str) -> SourceVideo:
    """What names tell of a video: ``stem`` is its own; the method of originals is ``youtube``, ``actors``."""
    is_dfd, genuine = _is_dfd(method), method in ORIGINALS
    identities = _people(stem, method)
    # A DFD fake <target>_<source>__<scene>__<experiment> was made from <target>__<scene>.
    target = "__".join((stem.split("_")[0], *stem.split("__")[1:2]))
    return SourceVideo(
        path=path,
        video_id=f"{method}/{compression}/{stem}",
        label=REAL if genuine else FAKE,
        corpus="dfd" if is_dfd else "ffpp",
        manipulation=ORIGINAL if genuine else method,
        split=split,
        identities=identities,
        group=identities[0] if identities else stem,
        compression=compression,
        original_id="" if genuine else f"{'actors' if is_dfd else 'youtube'}/{compression}/{target}",
        is_aligned=not is_dfd,
    )


def _is_dfd(method: str) -> bool:
    return method in ("actors", DFD)


def _people(stem: str, method: str) -> tuple[str, ...]:
    """Everyone that a name tells; empty where it is not of the official form."""
    names = stem.split("__")[0].split("_")
    if _is_dfd(method):
        return tuple(f"actor{name}" for name in names)
    return tuple(names) if len(names) == (1 if method == "youtube" else 2) else ()
