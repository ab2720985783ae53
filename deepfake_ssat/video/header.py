"""What is known of a video before it is decoded: from its header, or its packets where that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from deepfake_ssat.records import VideoMetadata
from deepfake_ssat.video.container import open_container
from deepfake_ssat.video.picture_track import choose_track
from deepfake_ssat.video.survey import StreamSurvey, shown_seconds, survey
from deepfake_ssat.video.timeline import Timeline, make_timeline

TOLERANCE_SECONDS = 0.2
"""Containers round their durations, and a last frame's length is a guess."""
FALLBACK_FPS = 25.0
TAG_LENGTH = 200
"""Characters of a tag that are kept: a file may write anything there."""


@dataclass(frozen=True)
class Header:
    """Everything that a reader needs to know to begin."""

    track: int
    """Index of the stream that is shown."""
    timeline: Timeline
    pixel_aspect: Fraction | None
    """Of the container; None where each frame has its own."""
    metadata: VideoMetadata
    warnings: tuple[str, ...]
    cut: str
    """Where the file ends, if its header announces more; else empty."""


def read_header(path: Path) -> Header:
    """Looks through a regular file; raises VideoError where it shows no video."""
    with open_container(path) as container:
        streams = survey(container)
        track, warnings = choose_track(path, container, streams)
        timeline = make_timeline(container, streams, track.index)
        announced = _announced_seconds(container, track)
        shown = shown_seconds(streams[track.index])
        longest = max(map(shown_seconds, streams.values()))
        duration = announced
        if shown and (announced is None or abs(announced - shown) > TOLERANCE_SECONDS):
            duration = shown
        cut = ""
        # Where a sound track lasts as long as announced, there were no more pictures.
        if announced is not None and longest < announced - TOLERANCE_SECONDS:
            cut = f"the file ends at {shown:.2f} s of {announced:.2f} s announced"
        metadata = _metadata(track, streams, duration, {**track.metadata, **container.metadata})
        return Header(track.index, timeline, _pixel_aspect(track), metadata, tuple(warnings), cut)


def _announced_seconds(container: InputContainer, stream: VideoStream) -> float | None:
    """How long the header says that the pictures last."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    tag = stream.metadata.get("DURATION", "")  # Matroska's statistics, such as 00:00:10.040000000
    parts = tag.split(":")
    if len(parts) == 3 and all(part.replace(".", "", 1).isdigit() for part in parts):
        return int(parts[0]) * 3600 + int(parts[1]) * 60 + float(parts[2])
    if container.duration is not None and len(container.streams) == 1:
        return container.duration / av.time_base
    return None


def _pixel_aspect(stream: VideoStream) -> Fraction | None:
    """The container's word on the shape of pixels; None where it only repeats what the pictures say."""
    aspect = stream.sample_aspect_ratio
    return None if aspect == stream.codec_context.sample_aspect_ratio else aspect


def _metadata(
    stream: VideoStream,
    streams: Mapping[int, StreamSurvey],
    duration_seconds: float | None,
    tags: Mapping[str, str],
) -> VideoMetadata:
    """Sizes are those of the stored pictures, until the first is decoded; ``tags`` are the container's."""
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate
    context = stream.codec_context
    return VideoMetadata(
        fps=float(rate) if rate else FALLBACK_FPS,
        num_frames=streams[stream.index].num_frames,
        width=context.width,
        height=context.height,
        rotation=0,
        codec=context.codec.canonical_name,
        duration_seconds=duration_seconds,
        encoder=_tag(tags, "encoder"),
        created=_tag(tags, "creation_time", "date"),
    )


def _tag(tags: Mapping[str, str], *names: str) -> str:
    """The first of these that the file has, in whatever case, on one line and cut where it runs on."""
    written = {name.lower(): text for name, text in tags.items()}
    found = next((written[name] for name in names if written.get(name)), "")
    return " ".join(found.split())[:TAG_LENGTH]
