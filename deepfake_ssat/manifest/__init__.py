"""The manifest of a folder of face clips: read, check, select, write."""

from deepfake_ssat.manifest.folder import (
    CONTRACT_FILE,
    DROPPED_FILE,
    MANIFEST_FILE,
    WARNINGS_FILE,
    Manifest,
    dropped_video,
    load_manifest,
    read_contract,
    video_columns,
    write_contract,
    write_manifest,
)
from deepfake_ssat.manifest.selection import COMPRESSION_ALIASES, check_leaks, people, select
from deepfake_ssat.manifest.table import VideoWarning

__all__ = [
    "COMPRESSION_ALIASES",
    "CONTRACT_FILE",
    "DROPPED_FILE",
    "MANIFEST_FILE",
    "WARNINGS_FILE",
    "Manifest",
    "VideoWarning",
    "check_leaks",
    "dropped_video",
    "load_manifest",
    "people",
    "read_contract",
    "select",
    "video_columns",
    "write_contract",
    "write_manifest",
]
