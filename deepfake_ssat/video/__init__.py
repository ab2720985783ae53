"""One reader interface for video files: frames in order, true indices and times, RGB only where asked for."""

from deepfake_ssat.video.frame import VideoFrame
from deepfake_ssat.video.reader import VideoReader, open_video

__all__ = ["VideoFrame", "VideoReader", "open_video"]
