"""Feeds mutated videos to detect and preprocess, and counts what becomes of them.

    python tools/fault_lab.py --count 300 --keep found

Seeds are short face videos in every container and codec that PyAV can write here; each case mutates one, from
a number of its own, so that ``--first 217 --count 1`` makes case 217 again. What must not happen: a hang, a
process that dies, an internal error, a score without a decoded face, memory that grows with what a header
claims. Such files are kept where ``--keep`` says; a seed of each belongs into the tests.
"""

from __future__ import annotations

import argparse
import math
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.codec import Codec
from av.error import FFmpegError
from make_demo_videos import face_video

from deepfake_ssat.clips.storage import read_frames
from deepfake_ssat.commands.detection_reports import ReportOptions
from deepfake_ssat.commands.judging import Judging
from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.extraction.preprocess import preprocess
from deepfake_ssat.manifest import load_manifest
from deepfake_ssat.pool import map_in_processes
from deepfake_ssat.records import Status, VideoVerdict

NUM_FRAMES = 20
FPS, SIDE = 25, 320
SEEDS = (
    ("mp4", "libx264"),
    ("mp4", "libx265"),
    ("mp4", "libsvtav1"),
    ("mov", "mpeg4"),
    ("mkv", "libx265"),
    ("mkv", "libx264"),
    ("ts", "libx264"),
    ("ts", "mpeg2video"),
    ("avi", "mjpeg"),
    ("avi", "mpeg4"),
    ("webm", "libvpx"),
    ("webm", "libvpx-vp9"),
    ("mpg", "mpeg2video"),
    ("flv", "flv"),
    ("flv", "libx264"),
    ("wmv", "wmv2"),
)
"""Ending and encoder; those that are not built in are left out, and said."""
QUIET = {"libx265": {"x265-params": "log-level=none"}}
SECONDS_EACH = 60.0
MEMORY_MB = 2000
HEADER = 4096
"""Bytes at either end of a file where containers keep what they claim."""
CLAIMS = (SIDE, FPS, NUM_FRAMES, NUM_FRAMES + 1, 512, 1000, 12800, 16000, 90000)
"""Numbers that a header is likely to hold: sides, rates, counts and time bases."""
ABSURD = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x10000, 0x1000000)

Mutation = Callable[[bytearray, np.random.Generator], None]


def flip_bits(data: bytearray, generator: np.random.Generator) -> None:
    """Single bits anywhere."""
    for place in generator.integers(0, len(data), int(generator.integers(1, 30))):
        data[place] ^= 1 << int(generator.integers(8))


def flip_header(data: bytearray, generator: np.random.Generator) -> None:
    """Bytes at the beginning or the end, where the containers keep their tables."""
    for _ in range(int(generator.integers(1, 8))):
        place = int(generator.integers(min(HEADER, len(data))))
        data[place if generator.integers(2) else -1 - place] = int(generator.integers(256))


def cut(data: bytearray, generator: np.random.Generator) -> None:
    """The file ends early."""
    del data[int(generator.integers(len(data))) :]


def lose_stretch(data: bytearray, generator: np.random.Generator) -> None:
    """A part is missing, and what follows moved up."""
    start, end = _stretch(data, generator)
    del data[start:end]


def zero_stretch(data: bytearray, generator: np.random.Generator) -> None:
    """A part is zeros, as after an interrupted download."""
    start, end = _stretch(data, generator)
    data[start:end] = bytes(end - start)


def scramble_stretch(data: bytearray, generator: np.random.Generator) -> None:
    """A part is noise."""
    start, end = _stretch(data, generator)
    data[start:end] = generator.bytes(end - start)


def swap_stretches(data: bytearray, generator: np.random.Generator) -> None:
    """Two parts of one length changed places."""
    start, end = _stretch(data, generator)
    length = (end - start) // 2
    data[start : start + length], data[end - length : end] = (
        data[end - length : end],
        data[start : start + length],
    )


def repeat_stretch(data: bytearray, generator: np.random.Generator) -> None:
    """A part comes twice."""
    start, end = _stretch(data, generator)
    data[end:end] = data[start:end]


def lie(data: bytearray, generator: np.random.Generator) -> None:
    """Sizes, rates, counts and lengths of the header become absurd."""
    places = _claims(data)
    for _ in range(int(generator.integers(1, 4))):
        if not places:
            return
        place, width, order = places[int(generator.integers(len(places)))]
        absurd = int(generator.choice(ABSURD)) & (256**width - 1)
        data[place : place + width] = absurd.to_bytes(width, order)


MUTATIONS: dict[str, Mutation] = {
    "bits": flip_bits,
    "header": flip_header,
    "cut": cut,
    "lost": lose_stretch,
    "zeroed": zero_stretch,
    "noise": scramble_stretch,
    "swapped": swap_stretches,
    "twice": repeat_stretch,
    "lies": lie,
}


def _stretch(data: bytearray, generator: np.random.Generator) -> tuple[int, int]:
    length = int(generator.integers(1, max(len(data) // 3, 2)))
    start = int(generator.integers(max(len(data) - length, 1)))
    return start, start + length


def _claims(data: bytearray) -> list[tuple[int, int, str]]:
    """(place, bytes, byte order) of each number that the header may state."""
    ends = [(0, bytes(data[:HEADER])), (max(len(data) - HEADER, 0), bytes(data[-HEADER:]))]
    found = []
    for offset, part in ends:
        for claim in CLAIMS:
            for width, order in ((4, "big"), (4, "little"), (2, "big"), (2, "little")):
                if claim >= 256**width:
                    continue
                wanted = claim.to_bytes(width, order)  # pyright: ignore[reportArgumentType]
                place = part.find(wanted)
                while place >= 0:
                    found.append((offset + place, width, order))
                    place = part.find(wanted, place + 1)
    return found


@dataclass(frozen=True)
class Case:
    """One mutated file."""

    number: int
    seed: Path
    mutation: str

    @property
    def name(self) -> str:
        """Such as ``00217_lies_libx264.mp4``."""
        return f"{self.number:05d}_{self.mutation}_{self.seed.name}"

    def write(self, folder: Path) -> Path:
        """The same bytes for the same number."""
        data = bytearray(self.seed.read_bytes())
        MUTATIONS[self.mutation](data, np.random.default_rng([7, self.number]))
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / self.name
        path.write_bytes(data)
        return path


def make_seeds(folder: Path) -> tuple[list[Path], list[str]]:
    """A face video for each of ``SEEDS``, and those that cannot be encoded here."""
    frames = list(face_video(3, manipulated=False, num_frames=NUM_FRAMES))
    made, missing = [], []
    for ending, codec in SEEDS:
        path = folder / f"{codec}.{ending}"
        try:
            Codec(codec, "w")
            with av.open(str(path), "w") as container:
                stream = container.add_stream(codec, rate=FPS, options=QUIET.get(codec, {}))
                stream.width, stream.height = SIDE, SIDE
                stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
                stream.codec_context.bit_rate = 400_000
                for frame in frames:
                    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
                    container.mux(stream.encode(picture))
                container.mux(stream.encode(None))
            made.append(path)
        except (ValueError, FFmpegError) as error:
            path.unlink(missing_ok=True)
            missing.append(f"{path.name} ({error})")
    return made, missing


def make_cases(seeds: Sequence[Path], first: int, count: int) -> list[Case]:
    """Seeds and mutations in turn."""
    names = list(MUTATIONS)
    return [
        Case(number, seeds[number % len(seeds)], names[number // len(seeds) % len(names)])
        for number in range(first, first + count)
    ]


@dataclass(frozen=True)
class Looked:
    """A verdict, and what it took."""

    verdict: VideoVerdict
    frames: int
    """That PyAV decodes when asked without any of our reading; counted of scored videos only."""
    peak_mb: float


@dataclass(frozen=True)
class PrepareJudge:
    """In a worker: judges under an alarm, which kills a process that hangs."""

    judging: Judging

    def __call__(self) -> Callable[[Path], Looked]:
        """The judge of one file."""
        judge = self.judging()

        def look(path: Path) -> Looked:
            signal.setitimer(signal.ITIMER_REAL, SECONDS_EACH)
            verdict = judge(path)
            frames = count_frames(path) if verdict.status is Status.SCORED else 0
            signal.setitimer(signal.ITIMER_REAL, 0)
            return Looked(verdict, frames, peak_megabytes())

        return look


def peak_megabytes() -> float:
    """Of this program alone: ``ru_maxrss`` begins at what the process that started this one had."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def count_frames(path: Path) -> int:
    """Of the picture track, errors passed over."""
    count = 0
    with suppress(FFmpegError), av.open(str(path), metadata_errors="ignore") as container:
        for packet in container.demux(container.streams.video[0]):
            with suppress(FFmpegError):
                count += len(packet.decode())
    return count


def faults_of(looked: Looked) -> str:
    """What must not be, in a word or two; empty where all is well."""
    verdict = looked.verdict
    if any("internal error" in warning for warning in verdict.warnings):
        return f"internal error: {verdict.warnings[0]}"
    if looked.peak_mb > MEMORY_MB:
        return f"{looked.peak_mb:.0f} MB"
    if verdict.status is not Status.SCORED:
        return "score without a face" if verdict.probability is not None else ""
    fine = verdict.probability is not None and 0 <= verdict.probability <= 1 and verdict.clips
    if not fine or not all(map(math.isfinite, (face.start_seconds for face in verdict.faces))):
        return "score without a face"
    return "score of undecodable frames" if looked.frames == 0 else ""


@dataclass(frozen=True)
class Judged:
    """What became of one case."""

    case: Case
    outcome: str
    """A status, ``hung`` or ``died``."""
    fault: str
    peak_mb: float = 0.0


def through_detect(cases: Sequence[Case], folder: Path, judging: Judging, workers: int) -> Iterator[Judged]:
    """Each case as it is done."""
    files = [case.write(folder) for case in cases]
    for outcome in map_in_processes(PrepareJudge(judging), files, workers):
        case = cases[outcome.task]
        if outcome.failure is None:
            looked: Looked = outcome.value
            yield Judged(case, looked.verdict.status.value, faults_of(looked), looked.peak_mb)
        else:
            hung = f"signal {signal.SIGALRM.value}" in outcome.failure
            yield Judged(case, "hung" if hung else "died", outcome.failure)


def through_preprocess(cases: Sequence[Case], folder: Path, workers: int) -> tuple[Counter[str], list[str]]:
    """By status, and what is not as it should be: a video that is nowhere, a clip that cannot be read."""
    root, out = folder / "corpus", folder / "out"
    for case in cases:
        case.write(root / "train" / ("real" if case.number % 2 else "fake"))
    report = preprocess("folder", root, out, settings=ExtractionSettings(), workers=workers)  # pyright: ignore[reportCallIssue]
    manifest = load_manifest(out)
    faults = [f"{Path(failure.path).name}: {failure.reason}" for failure in report.failures]
    stored = {row.video_id for row in manifest.rows}
    counts = Counter(video.reason.value for video in manifest.dropped)
    counts[Status.SCORED.value] = len(stored)
    if sum(counts.values()) != len(cases):
        faults.append(f"{len(cases)} videos went in, {sum(counts.values())} are accounted for")
    for row in manifest.rows:
        clip = read_frames(out / row.clip_file, range(row.num_frames))
        if len(clip) != row.num_frames:
            faults.append(f"{row.clip_file}: {len(clip)} of {row.num_frames} frames")
    return counts, faults


def main() -> None:
    """Prints what was tried, what survived, and what did not; exit code 1 where something did not."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=150, help="mutated files")
    parser.add_argument("--first", type=int, default=0, help="number of the first one")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for files that something went wrong with")
    parser.add_argument("--no-preprocess", action="store_true", help="detect only")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        seeds, missing = make_seeds(folder)
        sys.stdout.write(f"{len(seeds)} seeds; not written here: {', '.join(missing) or 'none'}\n")
        cases = make_cases(seeds, given.first, given.count)
        counts: dict[str, Counter[str]] = {name: Counter() for name in MUTATIONS}
        faults, peak = [], 0.0
        judging = Judging(ReportOptions(None), device="cpu", threads=1)
        for judged in through_detect(cases, folder / "detect", judging, given.workers):
            counts[judged.case.mutation][judged.outcome] += 1
            peak = max(peak, judged.peak_mb)
            if judged.fault:
                faults.append(f"detect {judged.case.name}: {judged.fault}")
                if given.keep:
                    judged.case.write(given.keep)
        for name, outcomes in counts.items():
            sys.stdout.write(f"{name:<10}{dict(outcomes)}\n")
        sys.stdout.write(f"detect: {len(cases)} tried, highest memory of a process {peak:.0f} MB\n")
        if not given.no_preprocess:
            stored, wrong = through_preprocess(cases, folder / "preprocess", given.workers)
            sys.stdout.write(f"preprocess: {len(cases)} tried, {dict(stored)}\n")
            faults += [f"preprocess {fault}" for fault in wrong]
        sys.stdout.write("\n".join([*faults, f"{len(faults)} faults", ""]))
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
