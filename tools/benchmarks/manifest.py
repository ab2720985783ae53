"""Times what a manifest of many clips costs: load, select, group, shuffle, shard; and the memory of it.

    python tools/benchmarks/manifest.py --clips 1000000

A synthetic manifest of eight clips a video is written first, without clip files: whether each of them is
there is left out of the time (``--files`` makes empty ones, and takes it in).
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

from deepfake_ssat import manifest as manifests
from deepfake_ssat.config import ExtractionSettings, Selection
from deepfake_ssat.manifest import load_manifest, people, select, write_manifest
from deepfake_ssat.records import FAKE, REAL, ManifestRow
from deepfake_ssat.training.batches import EpochBatches
from deepfake_ssat.training.processes import Processes

CLIPS_PER_VIDEO = 8
BOXES = ((20, 7919, 150_000), (20, 6007, 80_000), (40, 5003, 20_000))
"""Left, top and height in pixels: from where on, and what makes them go over hundredths of a pixel."""
KINDS = (("original", REAL), ("Deepfakes", FAKE), ("Face2Face", FAKE), ("FaceSwap", FAKE))


def rows(count: int, contract: ExtractionSettings) -> Iterator[ManifestRow]:
    """Of a corpus like DFDC: every person in one split."""
    contract_hash = contract.hash()
    for number in range(count):
        video, clip = divmod(number, CLIPS_PER_VIDEO)
        person, kind = divmod(video, len(KINDS))
        manipulation, label = KINDS[kind]
        left, top, side = (low + number * step % high / 100 for low, step, high in BOXES)
        video_id = f"part{person % 50:02d}/{manipulation}/{person:06d}"
        yield ManifestRow(
            corpus="dfdc",
            video_id=video_id,
            label=label,
            manipulation=manipulation,
            split=("train", "train", "train", "val", "test")[person % 5],
            identities=(f"{person:06d}",),
            group=f"{person:06d}",
            compression="",
            source=f"{video_id}.mp4",
            clip_file=f"clips/dfdc/{video_id}/track000_{clip:02d}.mp4",
            track_id=0,
            first_frame=16 * clip,
            frame_stride=1,
            num_frames=16,
            start_seconds=round(0.64 * clip, 4),
            end_seconds=round(0.64 * clip + 0.6, 4),
            box=(left, top, round(left + 0.8 * side, 2), round(top + side, 2)),
            face_size=round(side, 2),
            contract_hash=contract_hash,
        )


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Prints seconds, those of the CPU, and the highest memory of this process so far."""
    started, cpu = time.perf_counter(), time.process_time()
    yield
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(f"{what:<10}{seconds:8.2f} s {cpu:8.2f} CPU-s {peak:8.0f} MB\n")


def main() -> None:
    """One line a step."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=1_000_000)
    parser.add_argument("--files", action="store_true", help="make the clip files, empty ones")
    parser.add_argument("--processes", type=int, default=64, help="among which the clips are shared")
    parser.add_argument("--folder", type=Path, help="where a manifest of an earlier call lies, or is to lie")
    given = parser.parse_args()
    contract = ExtractionSettings()  # pyright: ignore[reportCallIssue]
    with tempfile.TemporaryDirectory() as place:
        folder = given.folder or Path(place)
        if given.files and not (folder / manifests.MANIFEST_FILE).exists():
            for row in rows(given.clips, contract):
                file = folder / row.clip_file
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
        if not (folder / manifests.MANIFEST_FILE).exists():
            write_manifest(folder, list(rows(given.clips, contract)), [], contract)
            if given.folder:
                sys.stdout.write("written; call again to measure reading alone\n")
                return
        looked_for = nullcontext() if given.files else patch("os.path.isfile", lambda _: True)
        with looked_for, timed("load"):
            manifest = load_manifest(folder)
        with timed("select"):
            chosen = select(manifest.rows, Selection(splits=("train",)))
        with timed("people"):
            names = people(chosen)
        with timed("shuffle"):
            batches = EpochBatches(
                [row.label or 0 for row in chosen], 32, 0, False, Processes(3, given.processes)
            )
            batches.start(1)
            shown = sum(map(len, batches))
        sys.stdout.write(
            f"{len(manifest.rows)} clips, {len(chosen)} of them for training, {len(names)} people; "
            f"{shown} for one of {given.processes} processes in an epoch\n"
        )


if __name__ == "__main__":
    main()
