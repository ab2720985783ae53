"""Runs ``preprocess`` on tiny folders with the stand-in for the face networks."""

import hashlib

from deepfake_ssat.commands import preprocess
from deepfake_ssat.corpora import CorpusOptions
from deepfake_ssat.extraction.preprocess import LOCK_FILE
from deepfake_ssat.pool import Outcome
from deepfake_ssat.pool.worker import Worker
from tests.commands.fixed_faces import SETTINGS
from tests.videos import coded_frames, write_video


def make_video(path, num_frames=12):
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_video(path, coded_frames(num_frames))


def make_corpus(root):
    """Two real and two fake videos of 12 frames, split by folder."""
    for name in ("train/real/a", "train/fake/Swap/a", "val/real/b", "val/fake/Swap/b"):
        make_video(root / f"{name}.mp4")
    return root


def run_corpus(corpus, root, out, settings=SETTINGS, workers=1, limit=None, clips=None, **options):
    """``options`` are those of the corpus."""
    options = CorpusOptions(**options)
    return preprocess.run(corpus, root, out, settings, options, workers, limit=limit, clips=clips)


def run_folder(root, out, **options):
    return run_corpus("folder", root, out, **options)


def file_hashes(folder):
    """Every file's place and hash; the lock holds nothing."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != LOCK_FILE
    }


def clips_written_since(folder, nanoseconds):
    return {path for path in folder.rglob("*.mp4") if path.stat().st_mtime_ns > nanoseconds}


def map_here(prepare, tasks, processes):
    """As ``map_in_processes``, in this one: a process of its own takes a second to start."""
    worker = Worker(prepare)
    for number, task in enumerate(tasks):
        yield Outcome.of(number, worker.answer(task))
