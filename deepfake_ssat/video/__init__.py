"""One reader interface for video files: frames in order, true indices and times, RGB only where asked for."""

from deepfake_ssat.video.frame import VideoFrame
from deepfake_ssat.video.reader import TIME_LIMIT_SECONDS, VideoReader, open_video

__all__ = ["TIME_LIMIT_SECONDS", "VideoFrame", "VideoReader", "open_video"]
