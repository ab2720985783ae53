"""One reader interface for video files."""
