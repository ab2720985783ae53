"""Makes tiny manifests of face clips for tests: noise, brighter in the fakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepfake_ssat.clips.storage import ClipWriter
from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.manifest import Manifest, load_manifest, write_manifest
from deepfake_ssat.records import FAKE, REAL, DroppedVideo, ManifestRow

FPS = 25.0


@dataclass(frozen=True)
class TinyVideo:
    """One video of a tiny manifest."""

    video_id: str
    label: int | None
    split: str = "test"
    manipulation: str = ""
    """Given or not: ``original`` for genuine videos, ``Deepfakes`` for fakes."""
    identities: tuple[str, ...] = ()
    """Given or not: a person of its own."""
    compression: str = "c23"
    tracks: int = 1
    corpus: str = "tiny"


def tiny_videos(
    per_class: int = 3, splits: Sequence[str] = ("train", "val", "test"), manipulation: str = "Deepfakes"
) -> list[TinyVideo]:
    """So many genuine and so many fake videos in every split, all of different people."""
    return [
        TinyVideo(f"{kind}/c23/{split}{number}", label, split, kind)
        for split in splits
        for kind, label in (("original", REAL), (manipulation, FAKE))
        for number in range(per_class)
    ]


def make_manifest(
    folder: Path,
    videos: Sequence[TinyVideo] | None = None,
    size: int = 32,
    frames: int = 32,
    seed: int = 0,
    clip_frames: int = 16,
    dropped: Sequence[DroppedVideo] = (),
) -> Manifest:
    """Writes what ``preprocess`` would: one file of ``frames`` stored frames for each video and track.

    ``clip_frames`` is the contract's; genuine frames have a mean near 90, fake ones near 160.
    """
    contract = ExtractionSettings(frames=clip_frames, crop_size=size)
    generator = np.random.default_rng(seed)
    rows = []
    for video in tiny_videos() if videos is None else videos:
        for track in range(video.tracks):
            row = tiny_row(video, track, frames, contract)
            brightness = 90 + 70 * (video.label == FAKE)
            noise = generator.integers(-40, 41, (frames, size, size, 3)) + brightness
            with ClipWriter(folder / row.clip_file, fps=FPS) as writer:
                writer.write(noise.astype(np.uint8))
            rows.append(row)
    write_manifest(folder, rows, dropped, contract)
    return load_manifest(folder)


def tiny_row(video: TinyVideo, track: int, frames: int, contract: ExtractionSettings) -> ManifestRow:
    """The row of one track of a video."""
    return ManifestRow(
        corpus=video.corpus,
        video_id=video.video_id,
        label=video.label,
        manipulation=video.manipulation or ("Deepfakes" if video.label == FAKE else "original"),
        split=video.split,
        identities=video.identities or (video.video_id,),
        group=(video.identities or (video.video_id,))[0],
        compression=video.compression,
        source=f"{video.video_id}.mp4",
        clip_file=f"clips/{video.corpus}/{video.video_id}/track{track:03}_00.mp4",
        track_id=track,
        first_frame=0,
        frame_stride=1,
        num_frames=frames,
        start_seconds=0.0,
        end_seconds=(frames - 1) / FPS,
        box=(10.0, 10.0, 90.0, 90.0),
        face_size=80.0,
        contract_hash=contract.hash(),
    )
