"""The DFDC preview data set: ``dataset.json`` names every video by its relative path.

Its sets are train and test. Validation people are ours: a tenth of the training fakes, cut along groups of
people who were swapped with each other (``splits.split_by_size``).
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from deepfake_ssat.corpora.files import find
from deepfake_ssat.corpora.index import ORIGINAL, CorpusIndex, CorpusOptions, LeftOut
from deepfake_ssat.corpora.splits import split_by_size
from deepfake_ssat.errors import CorpusError, TextError
from deepfake_ssat.records import FAKE, REAL, SourceVideo
from deepfake_ssat.text import parse_json, read_text


def index_dfdc_preview(root: Path, options: CorpusOptions) -> CorpusIndex:
    """The videos of ``dataset.json``; files that this copy lacks are reported."""
    path = find(root, "dataset.json")
    try:
        entries: dict[str, dict[str, Any]] = dict(parse_json(read_text(path)))
    except (TextError, ValueError, TypeError) as error:
        raise CorpusError(f"{path}: cannot be read as the preview's list of videos ({error})") from error
    videos, left_out = [], []
    for name, entry in sorted(entries.items()):
        file = find(root, *PurePosixPath(name).parts)
        if not file.is_file():
            left_out.append(LeftOut(name, "named in dataset.json, not in this copy"))
            continue
        try:
            videos.append(_source_video(file, PurePosixPath(name), entry))
        except (KeyError, AttributeError) as error:
            raise CorpusError(
                f"{path}: {name} needs label real or fake and set train or test: {error}"
            ) from error
    if not videos:
        raise CorpusError(f"{root}: none of the {len(entries)} videos of dataset.json is here")
    training = [video for video in videos if video.split == "train"]
    others = [video for video in videos if video.split != "train"]
    return CorpusIndex(tuple(split_by_size(training, {"train": 0.9, "val": 0.1}) + others), tuple(left_out))


def _source_video(path: Path, name: PurePosixPath, entry: dict[str, Any]) -> SourceVideo:
    """One entry; people are numbered alike in originals, targets and swaps."""
    label = {"real": REAL, "fake": FAKE}[entry["label"].lower()]
    people = [entry.get("target_id"), entry.get("swapped_id")]
    if label == REAL and people == [None, None]:
        people = [name.parent.name]
    identities = tuple(dict.fromkeys(str(person) for person in people if person not in (None, "")))
    return SourceVideo(
        path=path,
        video_id=str(name.with_suffix("")),
        label=label,
        corpus="dfdc-preview",
        manipulation=ORIGINAL if label == REAL else name.parts[0],
        split={"train": "train", "test": "test"}[entry["set"].lower()],
        identities=identities,
        group=identities[0] if identities else name.stem,
    )
