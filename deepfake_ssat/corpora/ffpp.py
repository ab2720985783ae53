"""FaceForensics++ with FaceShifter and DeepFakeDetection (DFD), as the official script lays them out.

Official splits: from the root, ``splits/`` or ``dataset/splits/`` where the user has them, else the bundled
lists (identical). DFD has no official split and is test only; its videos have the corpus name ``dfd``.
"""

from __future__ import annotations

import json
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
from deepfake_ssat.errors import CorpusError
from deepfake_ssat.records import FAKE, REAL, SPLITS, SourceVideo

METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
DFD = "DeepFakeDetection"
COMPRESSION_FOLDERS = {"raw": "raw", "c0": "raw", "c23": "c23", "c40": "c40"}
"""Folder name to compression: the download script says raw, the documentation c0."""

BUNDLED_SPLITS = Path(__file__).parent / "ffpp_splits"


def index_ffpp(root: Path, options: CorpusOptions) -> CorpusIndex:
    """Originals, fakes and DFD; a video whose ids are in no split list is left out, with that reason."""
    split_of = read_splits(root)
    wanted = {COMPRESSION_FOLDERS.get(name, name) for name in options.compressions}
    unknown = wanted - set(COMPRESSION_FOLDERS.values())
    if unknown:
        raise CorpusError(f"compression {min(unknown)!r} is none of raw (c0), c23, c40")
    videos: dict[tuple[str, str], SourceVideo] = {}
    left_out: list[LeftOut] = []
    frames_only = []
    for method, folder in _method_folders(root):
        for name, compression in COMPRESSION_FOLDERS.items():
            if wanted and compression not in wanted:
                continue
            paths = list_videos(folder / name / "videos")
            if not paths and holds_pictures(folder / name / "images"):
                frames_only.append(relative_name(folder / name / "images", root))
            originals = root / "original_sequences" / "youtube" / name / "videos"
            for path in paths:
                video = _source_video(path, method, folder, compression, split_of, originals)
                if isinstance(video, str):
                    left_out.append(LeftOut(relative_name(path, root), video))
                elif (video.corpus, video.video_id) in videos:
                    left_out.append(LeftOut(relative_name(path, root), "in raw/ and c0/: same video twice"))
                else:
                    videos[video.corpus, video.video_id] = video
    if frames_only and not videos:
        raise CorpusError(
            f"{root}: {frames_only[0]} holds extracted frames; the videos are needed (…/videos/*.mp4), "
            "because frame files have lost their times and were compressed again"
        )
    left_out += [LeftOut(name, "extracted frames: only videos are read") for name in frames_only]
    if not videos and not left_out:
        raise CorpusError(
            f"{root}: no FaceForensics++ video; expected original_sequences/youtube/c23/videos/*.mp4 "
            "or manipulated_sequences/<method>/c23/videos/*.mp4 below it"
        )
    return CorpusIndex(tuple(videos.values()), tuple(left_out))


def read_splits(root: Path) -> dict[str, str]:
    """The split of each YouTube id, from the user's lists or the bundled ones."""
    for folder in (root, root / "splits", root / "dataset" / "splits", BUNDLED_SPLITS):
        present = [split for split in SPLITS if (folder / f"{split}.json").is_file()]
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
        path = folder / f"{split}.json"
        try:
            pairs = json.loads(path.read_text(encoding="utf-8"))
            ids = [str(name) for target, source in pairs for name in (target, source)]
        except (ValueError, TypeError) as error:
            raise CorpusError(f'{path}: is no list of pairs such as [["071", "054"]] ({error})') from error
        for name in ids:
            if split_of.setdefault(name, split) != split:
                raise CorpusError(f"{path}: id {name} is in {split_of[name]}.json too; an id has one split")
    return split_of


def _method_folders(root: Path) -> list[tuple[str, Path]]:
    """``original`` with youtube and actors, then every manipulation, official or not."""
    originals = root / "original_sequences"
    manipulated = root / "manipulated_sequences"
    folders = [("youtube", originals / "youtube"), ("actors", originals / "actors")]
    if manipulated.is_dir():
        folders += [(path.name, path) for path in sorted(manipulated.iterdir()) if path.is_dir()]
    return folders


def _source_video(
    path: Path, method: str, folder: Path, compression: str, split_of: Mapping[str, str], originals: Path
) -> SourceVideo | str:
    """One video, or the reason why it is left out; ``originals`` has the targets in its compression."""
    mask = folder / "masks" / "videos" / path.name
    is_dfd = method in ("actors", DFD)
    if is_dfd:
        people = path.stem.split("__")[0].split("_")
        identities = tuple(f"actor{name}" for name in people)
        split = "test"
    else:
        people = path.stem.split("_")
        if len(people) != (1 if method == "youtube" else 2):
            return "the name is not <id>.mp4 (original) or <target>_<source>.mp4 (fake)"
        identities = tuple(people)
        unlisted = [name for name in people if name not in split_of]
        if unlisted:
            return "in no split list"
        split = split_of[people[0]]
    genuine = method in ("youtube", "actors")
    original = originals / f"{people[0]}.mp4"
    return SourceVideo(
        path=path,
        video_id=f"{method}/{compression}/{path.stem}",
        label=REAL if genuine else FAKE,
        corpus="dfd" if is_dfd else "ffpp",
        manipulation=ORIGINAL if genuine else method,
        split=split,
        identities=identities,
        group=identities[0],
        compression=compression,
        mask_path=mask if not genuine and mask.is_file() else None,
        original_path=original if not (genuine or is_dfd) and original.is_file() else None,
    )
