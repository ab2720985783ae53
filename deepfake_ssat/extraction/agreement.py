"""A fake's choice of face holds for its original, and for the other fakes made of it.

Where a mask or the original tells that a bystander was not changed, the fake goes without that bystander.
Were the original to keep it, a classifier would learn that such faces, and whatever else passes for a face,
mean real.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from deepfake_ssat.extraction.journal import ClipFile, Entry
from deepfake_ssat.faces.choice import SAME_FACE, overlap


def agreed(entries: Sequence[Entry], frame_stride: int) -> list[Entry]:
    """The entries without the tracks that fakes of the same original left out where they lie.

    A track that some fake shows changed stays, as does one that no fake speaks of; no video loses all.
    """
    families: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        families[_family(entry)].append(entry)
    return [_without_others(entry, families[_family(entry)], frame_stride) for entry in entries]


def _family(entry: Entry) -> tuple[str, str]:
    """Corpus and original: a genuine video is its own."""
    return entry.video.corpus, entry.video.original_id or entry.video.video_id


def _without_others(entry: Entry, family: Iterable[Entry], frame_stride: int) -> Entry:
    extraction = entry.extraction
    known = [member.extraction for member in family if member.extraction.is_changed_known]
    if not known or extraction.is_changed_known:
        return entry
    changed = [clip for member in known for clip in member.clips]
    others = [clip for member in known for clip in member.left_out]
    tracks = {clip.track_id for clip in extraction.clips}
    unchanged = {
        track
        for track in tracks
        if _is_among(track, extraction.clips, others, frame_stride)
        and not _is_among(track, extraction.clips, changed, frame_stride)
    }
    if not unchanged or unchanged == tracks:
        return entry
    warning = f"{len(unchanged)} of {len(tracks)} face tracks left out: not changed in fakes of this original"
    clips = tuple(clip for clip in extraction.clips if clip.track_id not in unchanged)
    kept = replace(extraction, clips=clips, warnings=(*extraction.warnings, warning))
    return replace(entry, extraction=kept)


def _is_among(track: int, clips: Iterable[ClipFile], places: Iterable[ClipFile], frame_stride: int) -> bool:
    """Whether one of the track's clips lies where and when one of the places does."""
    own = [clip for clip in clips if clip.track_id == track]
    return any(_is_at(clip, place, frame_stride) for clip in own for place in places)


def _is_at(clip: ClipFile, place: ClipFile, frame_stride: int) -> bool:
    ends = (file.first_frame + file.num_frames * frame_stride for file in (clip, place))
    return max(clip.first_frame, place.first_frame) < min(ends) and overlap(clip.box, place.box) >= SAME_FACE
