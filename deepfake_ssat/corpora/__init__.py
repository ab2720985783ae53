"""Corpora as their official downloads lay them on disk: one file each, all with the same function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from deepfake_ssat.corpora.celebdf import index_celebdf
from deepfake_ssat.corpora.deeperforensics import index_deeperforensics
from deepfake_ssat.corpora.deepfakebench import index_deepfakebench
from deepfake_ssat.corpora.dfdc import index_dfdc
from deepfake_ssat.corpora.dfdc_preview import index_dfdc_preview
from deepfake_ssat.corpora.ffpp import index_ffpp
from deepfake_ssat.corpora.files import is_video, relative_name
from deepfake_ssat.corpora.folder import index_folder
from deepfake_ssat.corpora.index import (
    ORIGINAL,
    WHERE_CROPS_ARE_TAKEN,
    CorpusIndex,
    CorpusOptions,
    LeftOut,
    unrecognised,
)
from deepfake_ssat.corpora.table import index_csv
from deepfake_ssat.errors import CorpusError
from deepfake_ssat.manifest import COMPRESSION_ALIASES
from deepfake_ssat.records import REAL

CORPORA: dict[str, Callable[[Path, CorpusOptions], CorpusIndex]] = {
    "ffpp": index_ffpp,
    "dfdc": index_dfdc,
    "dfdc-preview": index_dfdc_preview,
    "celebdf": index_celebdf,
    "deeperforensics": index_deeperforensics,
    "deepfakebench": index_deepfakebench,
    "folder": index_folder,
    "csv": index_csv,
}

__all__ = ["CORPORA", "ORIGINAL", "CorpusIndex", "CorpusOptions", "LeftOut", "index_corpus"]


def index_corpus(name: str, root: Path, options: CorpusOptions | None = None) -> CorpusIndex:
    """The selected videos of a corpus folder, ordered by corpus and id.

    Whatever else lies below the root is among what was left out. Raises CorpusError (or TextError) where the
    folder, a list or an option breaks the corpus's rules.
    """
    options = options or CorpusOptions()
    if name not in CORPORA:
        raise CorpusError(f"corpus {name!r} is none of {', '.join(CORPORA)}")
    if not root.exists():
        raise CorpusError(f"{root}: does not exist; give the folder of the {name} download")
    if options.compressions and name not in ("ffpp", "deepfakebench"):
        raise CorpusError(f"corpus {name} has one compression only; leave out compressions")
    if options.validation_parts is not None and name != "dfdc":
        raise CorpusError(f"corpus {name} has no training parts to hold out; leave out validation parts")
    if options.split_by_identity and name != "celebdf":
        raise CorpusError(f"splits by identity are a choice of celebdf only; leave it out for {name}")
    if options.keep_guesses and name != "csv":
        raise CorpusError(f"corpus {name} has no column certainty; leave out keep guesses")
    index = _crops_only(CORPORA[name](root, options), root) if options.crops else CORPORA[name](root, options)
    others = unrecognised(root, index, options.crops) if root.is_dir() else []
    ordered = sorted(index.videos, key=lambda video: (video.corpus, video.video_id))
    return _select(CorpusIndex(tuple(ordered), (*index.left_out, *others)), options)


def _crops_only(index: CorpusIndex, root: Path) -> CorpusIndex:
    """Without what is neither a picture nor a folder of pictures; refuses to have nothing else."""
    base = root.parent if root.is_file() else root
    videos = [
        LeftOut(relative_name(video.path, base), WHERE_CROPS_ARE_TAKEN)
        for video in index.videos
        if is_video(video.path)
    ]
    crops = tuple(video for video in index.videos if not is_video(video.path))
    if not crops:
        raise CorpusError(f"{root}: has {len(videos)} videos and no picture; leave out --crops")
    return CorpusIndex(crops, (*index.left_out, *videos))


def _select(index: CorpusIndex, options: CorpusOptions) -> CorpusIndex:
    """By compression, split and manipulation; genuine videos stay where one chosen is of their corpus."""
    videos = list(index.videos)
    if options.compressions:
        wanted = {COMPRESSION_ALIASES.get(name, name) for name in options.compressions}
        videos = [video for video in videos if video.compression in wanted]
    if options.manipulations:
        present = sorted({video.manipulation for video in videos})
        unknown = [name for name in options.manipulations if name not in present]
        if unknown:
            raise CorpusError(f"manipulation {unknown[0]!r} is not in this copy; it has {', '.join(present)}")
        chosen = [video for video in videos if video.manipulation in options.manipulations]
        corpora = {video.corpus for video in chosen}
        videos = [
            video
            for video in videos
            if video.manipulation in options.manipulations
            or (video.label == REAL and video.corpus in corpora)
        ]
    if options.splits:
        videos = [video for video in videos if video.split in options.splits]
    if index.videos and not videos:
        chosen = {name: getattr(options, name) for name in ("compressions", "manipulations", "splits")}
        given = "; ".join(f"{name} {', '.join(values)}" for name, values in chosen.items() if values)
        raise CorpusError(f"nothing is left of {len(index.videos)} videos with {given}; ask for less")
    return replace(index, videos=tuple(videos))
