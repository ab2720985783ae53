"""Which of several picture tracks is judged: the one that a player shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from deepfake_ssat.errors import VideoError
from deepfake_ssat.video import container as limits
from deepfake_ssat.video.container import is_picture_format
from deepfake_ssat.video.survey import StreamSurvey

MOVING = 0.1
"""Frames of a track in those of the longest; below lie thumbnails and covers, however they are flagged."""
_NEVER = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image


def choose_track(
    path: Path, container: InputContainer, streams: Mapping[int, StreamSurvey]
) -> tuple[VideoStream, list[str]]:
    """The track and a warning that names the others; raises VideoError where there is none to be read.

    By default flag, then size, then frames; of equal ones the first.
    """
    tracks = [stream for stream in container.streams.video if not stream.disposition & _NEVER]
    if not tracks:
        raise VideoError(f"{path} has no picture track; give a video, not only sound")
    decodable = [stream for stream in tracks if stream.codec_context is not None]
    if not decodable:
        raise VideoError(f"{path}: this build of FFmpeg has no decoder for its video; convert it to H.264")
    most = max(streams[stream.index].num_frames for stream in decodable)

    def rank(stream: VideoStream) -> tuple[bool, bool, int, int]:
        frames = streams[stream.index].num_frames
        default = bool(stream.disposition & Disposition.default)
        return frames >= MOVING * most, default, stream.width * stream.height, frames

    chosen = max(decodable, key=rank)
    if is_picture_format(container) and streams[chosen.index].num_frames <= 1:
        raise VideoError(f"{path} is a picture, and only videos are judged; give a video file")
    if chosen.width * chosen.height > limits.MAX_PIXELS:
        raise VideoError(
            f"{path} has frames of {chosen.width}x{chosen.height}, at most {limits.MAX_PIXELS:,} pixels are "
            "read; scale it down"
        )
    others = [stream for stream in tracks if stream is not chosen and streams[stream.index].num_frames > 1]
    return chosen, _others_warning(chosen, others, streams)


def _others_warning(
    chosen: VideoStream, others: Sequence[VideoStream], streams: Mapping[int, StreamSurvey]
) -> list[str]:
    if not others:
        return []

    def words(stream: VideoStream) -> str:
        frames = streams[stream.index].num_frames
        if stream.codec_context is None:
            return f"track {stream.index} (no decoder, {frames} frames)"
        return f"track {stream.index} ({stream.width}x{stream.height}, {frames} frames)"

    named = ", ".join(map(words, others))
    return [f"several picture tracks: {words(chosen)} was looked at, not {named}"]
