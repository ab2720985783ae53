"""Splits for corpora that bring none: deterministic, and people who appear together stay together."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from deepfake_ssat.records import FAKE, SourceVideo

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
"""What a corpus without splits is divided into."""


def split_by_hash(videos: Sequence[SourceVideo], shares: Mapping[str, float] = SHARES) -> list[SourceVideo]:
    """Each connected group of people and clips goes where the hash of its first name falls.

    Adding videos moves no others, unless they connect two groups. Meant for many small groups.
    """
    split_of = {}
    for component in connected_videos(videos):
        name = min(_names(video)[0] for video in component)
        split_of.update(dict.fromkeys((video.video_id for video in component), _hashed(name, shares)))
    return [replace(video, split=split_of[video.video_id]) for video in videos]


def split_by_size(videos: Sequence[SourceVideo], shares: Mapping[str, float] = SHARES) -> list[SourceVideo]:
    """Like ``split_by_hash``, for few large groups: with fakes, the largest first, to the neediest split.

    The need is the split's share of all fakes less what it has, so the outcome depends on which videos
    are there. Groups without fakes go by hash.
    """
    components = connected_videos(videos)
    fakes = [sum(video.label == FAKE for video in component) for component in components]
    names = [min(_names(video)[0] for video in component) for component in components]
    needs = {split: share * sum(fakes) for split, share in shares.items()}
    split_of = {}
    for i in sorted(range(len(components)), key=lambda i: (-fakes[i], names[i])):
        if fakes[i]:
            split = max(needs, key=lambda name: needs[name])
            needs[split] -= fakes[i]
        else:
            split = _hashed(names[i], shares)
        split_of.update(dict.fromkeys((video.video_id for video in components[i]), split))
    return [replace(video, split=split_of[video.video_id]) for video in videos]


def connected_videos(videos: Sequence[SourceVideo]) -> list[list[SourceVideo]]:
    """The videos in sets, such that no identity and no group occurs in two sets."""
    return [[videos[i] for i in own] for own in connected([_names(video) for video in videos])]


def connected(names_of: Sequence[Sequence[str]]) -> list[list[int]]:
    """The items in sets, such that no name occurs in two of them; what has no name is alone."""
    parent: dict[str | int, str | int] = {}

    def find(name: str | int) -> str | int:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for names in names_of:
        for name in names[1:]:
            parent[find(name)] = find(names[0])
    components: dict[str | int, list[int]] = defaultdict(list)
    for item, names in enumerate(names_of):
        components[find(names[0] if names else item)].append(item)
    return list(components.values())


def _names(video: SourceVideo) -> list[str]:
    """What connects a video with others, never empty."""
    names = [f"identity {name}" for name in video.identities]
    names += [f"group {video.group}"] if video.group else []
    return sorted(names) or [f"video {video.video_id}"]


def hashed_position(name: str) -> float:
    """Where the hash of a name falls in [0, 1): it never changes."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:12], 16) / 16**12


def _hashed(name: str, shares: Mapping[str, float]) -> str:
    """A split, by where the name's hash falls."""
    position = hashed_position(name)
    for split, share in shares.items():
        if position < share:
            return split
        position -= share
    return next(iter(shares))
