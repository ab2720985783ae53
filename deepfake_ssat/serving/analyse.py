"""``python -m deepfake_ssat.serving.analyse FOLDER NAME CHECKPOINT DEVICE CLIPS``: one job.

Reads FOLDER/video; writes FOLDER/progress while it works, then everything that is found. The path in the
results is the name that the video was uploaded under. With a FOLDER/wanted.json it draws that clip's heat
maps, and nothing else.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from deepfake_ssat.errors import ConfigError, DeepfakeError, OutputError
from deepfake_ssat.inference.description import checkpoint_record, settings_record
from deepfake_ssat.inference.detector import load_detector
from deepfake_ssat.inference.verdict import renamed
from deepfake_ssat.outputs import write_file
from deepfake_ssat.records import ClipScore, FaceClip
from deepfake_ssat.reporting.detection_report import results_csv, results_document
from deepfake_ssat.reporting.documents import json_text
from deepfake_ssat.reporting.filmstrips import clip_strip, png
from deepfake_ssat.reporting.full_frames import read_full_frames
from deepfake_ssat.reporting.page import render_report
from deepfake_ssat.serving.maps import WantedMaps, read_wanted
from deepfake_ssat.serving.sandbox import NO_ROOM
from deepfake_ssat.serving.storage import CSV, MAPS, PROGRESS, REPORT, RESULT, TIMELINE, VIDEO
from deepfake_ssat.serving.timeline import Timeline
from deepfake_ssat.video.reader import open_video_or_picture

PROGRESS_SECONDS = 0.3
EXPLAINING = 0.9
"""Progress when all clips are scored and the heat maps are still to come."""


def analyse(folder: Path, name: str, checkpoint: Path | None, device: str, clips: int | None) -> None:
    """Judges and explains one upload; raises DeepfakeError where the checkpoint cannot be used."""
    video = folder / VIDEO
    detector = load_detector(checkpoint, device, decoder=True)
    progress = _Progress(folder / PROGRESS, video)
    timeline = Timeline()

    def note(clip: FaceClip, score: ClipScore) -> None:
        timeline.note(clip, score)
        progress.note(score)

    explanation = detector.explain(video, clips, on_clip=note)
    explanation = replace(explanation, verdict=renamed(explanation.verdict, name))
    document = results_document(
        [explanation.verdict], checkpoint_record(detector), settings_record(detector, clips)
    )
    weights = "" if detector.has_default_weights else f"--checkpoint {detector.path.name} "
    shown = "all" if clips is None else clips
    command = f"deepfake-ssat detect VIDEO {weights}--clips {shown} --report report.html"
    frames = read_full_frames(video, explanation, detector.checkpoint.decision.verdict)
    page = render_report(document, explanation, detector.contract, frames, command=command)
    write_file(folder / REPORT, page)
    write_file(folder / CSV, results_csv([explanation.verdict]))
    if metadata := explanation.verdict.metadata:
        faces = {face.track_id for face in explanation.verdict.faces}
        drawn = timeline.document(metadata, detector.checkpoint.decision, faces)
        write_file(folder / TIMELINE, json.dumps(drawn, separators=(",", ":"), allow_nan=False).encode())
    write_file(folder / RESULT, json_text(document))


def draw_maps(folder: Path, wanted: WantedMaps, checkpoint: Path | None, device: str) -> None:
    """Draws the heat maps of one clip of an upload; raises DeepfakeError where that cannot be."""
    detector = load_detector(checkpoint, device, decoder=True)
    if detector.checkpoint.hash != wanted.checkpoint:
        raise ConfigError("the service has other weights now; send the file to be judged by them first")
    clip = detector.explain_clip(folder / VIDEO, wanted.clip, wanted.clips)
    write_file(folder / MAPS, png(clip_strip(clip)))


class _Progress:
    """Writes how far through the video the last clip was, several times a second at most."""

    def __init__(self, file: Path, video: Path):
        self._file = file
        self._written = 0.0
        try:
            with open_video_or_picture(video) as reader:
                self._seconds = reader.metadata.duration_seconds
        except DeepfakeError:
            self._seconds = None

    def note(self, score: ClipScore) -> None:
        """One more clip was scored."""
        if self._seconds and time.monotonic() - self._written > PROGRESS_SECONDS:
            self._written = time.monotonic()
            part = min(score.end_seconds / self._seconds, 1.0) * EXPLAINING
            # A courtesy: a full disk must not end the analysis.
            with contextlib.suppress(OutputError):
                write_file(self._file, f"{part:.3f}".encode())


def main() -> None:
    """Exit code 2 and one line for what cannot be used, 28 for no room; a bug keeps its traceback."""
    folder, name, weights, device, clips = sys.argv[1:]
    checkpoint = Path(weights) if weights else None
    try:
        if wanted := read_wanted(Path(folder)):
            draw_maps(Path(folder), wanted, checkpoint, device)
        else:
            analyse(Path(folder), name, checkpoint, device, None if clips == "all" else int(clips))
    except OutputError:
        raise SystemExit(NO_ROOM) from None
    except DeepfakeError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
