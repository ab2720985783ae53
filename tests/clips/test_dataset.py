"""Face clips as examples: which frames, which size, which randomness."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch._utils import ExceptionWrapper
from torch.utils.data import DataLoader

from deepfake_ssat.clips.augment import build_augmentation
from deepfake_ssat.clips.dataset import FaceClipDataset, spread_over_rows, spread_windows
from deepfake_ssat.clips.items import error_without_worker_traceback, prepare_worker
from deepfake_ssat.clips.sampling import fake_fraction
from deepfake_ssat.clips.storage import ClipWriter
from deepfake_ssat.config import Augmentation, ExtractionSettings
from deepfake_ssat.errors import ManifestError
from deepfake_ssat.manifest import Manifest
from deepfake_ssat.records import FAKE, REAL, ManifestRow

_CONTRACT = ExtractionSettings(frames=8, crop_size=32)


def _row(video_id: str, num_frames: int, label: int | None = FAKE, track_id: int = 0) -> ManifestRow:
    return ManifestRow(
        corpus="folder",
        video_id=video_id,
        label=label,
        manipulation="Deepfakes" if label else "original",
        split="train",
        identities=(),
        group=video_id,
        compression="",
        source=f"{video_id}.mp4",
        clip_file=f"clips/{video_id}-{track_id}.mp4",
        track_id=track_id,
        first_frame=0,
        frame_stride=1,
        num_frames=num_frames,
        start_seconds=0.0,
        end_seconds=num_frames / 25,
        box=(0.0, 0.0, 20.0, 20.0),
        face_size=20.0,
        contract_hash=_CONTRACT.hash(),
    )


def _write(folder: Path, row: ManifestRow) -> None:
    """Frame k of the file is all 6·k, its left half one more."""
    frames = np.empty((row.num_frames, 32, 32, 3), np.uint8)
    frames[:] = 6 * np.arange(row.num_frames, dtype=np.uint8)[:, None, None, None]
    frames[:, :, :16] += 1
    with ClipWriter(folder / row.clip_file, fps=25) as writer:
        writer.write(frames)


@pytest.fixture
def manifest(tmp_path) -> Manifest:
    rows = (_row("a", 24), _row("a", 8, track_id=1), _row("b", 40, REAL))
    for row in rows:
        _write(tmp_path, row)
    return Manifest(tmp_path, rows, _CONTRACT, (), "hash")


def _dataset(manifest, training=False, frames=8, clips=3, size=32, augmentation=None, seed=0, rows=None):
    rows = manifest.rows if rows is None else rows
    return FaceClipDataset(manifest, rows, frames, size, clips, augmentation, seed, training)


def _shown(item) -> list[int]:
    """Stored frame numbers of an item, from its pixels."""
    return (item["pixels"][:, 0, -1, 0] // 6).tolist()


def test_item_holds_consecutive_frames_label_and_video(manifest):
    dataset = _dataset(manifest, training=True, clips=1)
    item = dataset[2]
    frames = _shown(item)
    assert frames == list(range(frames[0], frames[0] + 8))
    assert item["pixels"].shape == (8, 32, 32, 3)
    assert item["pixels"].dtype == torch.uint8
    assert (item["label"], dataset.videos[item["video"]]) == (REAL, "folder/b")


def test_rows_of_one_video_share_its_number(manifest):
    dataset = _dataset(manifest, training=True, clips=2)
    assert dataset.videos == ["folder/a", "folder/b"]
    assert [dataset[index]["video"] for index in range(6)] == [0, 0, 0, 0, 1, 1]
    assert dataset.labels == [FAKE] * 4 + [REAL] * 2


@pytest.mark.slow
def test_training_windows_cover_every_start_over_the_epochs(manifest):
    dataset = _dataset(manifest, training=True, clips=4, rows=manifest.rows[:1])
    starts = set()
    for epoch in range(40):
        dataset.set_epoch(epoch)
        starts |= {_shown(dataset[index])[0] for index in range(4)}
    assert starts == set(range(17))


def test_training_item_depends_on_seed_epoch_and_index_only(manifest):
    augmentation = build_augmentation(Augmentation(name="dfdc"), 32)

    def shown(seed: int, epoch: int, order: list[int]) -> dict[int, bytes]:
        dataset = _dataset(manifest, training=True, augmentation=augmentation, seed=seed)
        dataset.set_epoch(epoch)
        return {index: dataset[index]["pixels"].numpy().tobytes() for index in order}

    assert shown(0, 3, [0, 1, 6, 7]) == shown(0, 3, [7, 0, 6, 1])
    assert shown(0, 3, [0, 6]) != shown(0, 4, [0, 6])
    assert shown(0, 3, [0, 6]) != shown(1, 3, [0, 6])


def test_validation_windows_are_fixed_spread_and_not_augmented(manifest):
    augmentation = build_augmentation(Augmentation(name="none", random_erasing=1.0), 32)
    dataset = _dataset(manifest, clips=3, augmentation=augmentation)
    starts = [(item["video"], _shown(item)[0]) for item in (dataset[i] for i in range(len(dataset)))]
    # 24 frames hold three windows of 8, 8 frames one, 40 frames more than the three asked for.
    assert starts == [(0, 0), (0, 8), (0, 16), (0, 0), (1, 0), (1, 16), (1, 32)]
    dataset.set_epoch(9)
    assert _shown(dataset[6]) == list(range(32, 40))


@pytest.mark.parametrize(
    ("num_frames", "frames", "windows", "starts"),
    [
        (16, 16, 4, [0]),
        (17, 16, 4, [0, 1]),
        (40, 16, 4, [0, 12, 24]),
        (160, 16, 4, [0, 48, 96, 144]),
        (160, 16, 1, [72]),
        (5, 1, 3, [0, 2, 4]),
        (2, 1, 4, [0, 1]),
    ],
)
def test_windows_are_spread_from_end_to_end(num_frames, frames, windows, starts):
    assert spread_windows(num_frames, frames, windows) == starts


def _broken(tmp_path, lengths, label=FAKE):
    """One face whose frames are in several rows, a gap between each two, beside an unbroken genuine one."""
    rows = [
        replace(_row("broken", length, label), clip_file=f"clips/broken_{part}.mp4", first_frame=100 * part)
        for part, length in enumerate(lengths)
    ]
    rows.append(_row("whole", 16, REAL))
    for row in rows:
        _write(tmp_path, row)
    return Manifest(tmp_path, tuple(rows), _CONTRACT, (), "hash")


def test_face_in_five_runs_is_drawn_as_often_as_one_in_one(tmp_path):
    dataset = _dataset(_broken(tmp_path, [8, 9, 10, 8, 8]), training=True, clips=2)
    assert dataset.labels == [FAKE, FAKE, REAL, REAL]
    assert fake_fraction(dataset.labels) == 0.5


def test_every_window_of_a_broken_face_is_drawn_and_none_spans_a_gap(tmp_path):
    dataset = _dataset(_broken(tmp_path, [8, 10]), training=True, clips=1)
    shown = []
    for epoch in range(60):
        dataset.set_epoch(epoch)
        frames = _shown(dataset[0])
        assert frames == list(range(frames[0], frames[0] + 8))
        shown.append(frames[0])
    # One window in the first row, three in the second, where the windows 0 of both look alike.
    counts = [shown.count(start) for start in range(3)]
    assert sum(counts) == 60
    assert counts[0] > max(counts[1:])


@pytest.mark.parametrize(
    ("lengths", "windows", "chosen"),
    [
        ([40], 4, [(0, 0), (0, 12), (0, 24)]),
        ([160], 1, [(0, 72)]),
        ([16, 16, 16], 2, [(0, 0), (1, 0)]),
        ([16, 160], 2, [(1, 0), (1, 144)]),
        ([64, 64], 4, [(0, 0), (0, 48), (1, 0), (1, 48)]),
        ([1, 1], 4, [(0, 0), (1, 0)]),
    ],
)
def test_windows_are_spread_over_the_rows_of_a_face(lengths, windows, chosen):
    assert spread_over_rows(lengths, 16, windows) == chosen


def test_single_frames_serve_the_image_model(manifest):
    training = _dataset(manifest, training=True, frames=1, clips=5)
    assert training[0]["pixels"].shape == (1, 32, 32, 3)
    assert len({_shown(training[index])[0] for index in range(5)}) > 1
    validation = _dataset(manifest, frames=1, clips=3, rows=manifest.rows[2:])
    assert [_shown(validation[index]) for index in range(3)] == [[0], [20], [39]]


def test_larger_crops_are_averaged_down(manifest):
    pixels = _dataset(manifest, size=16)[0]["pixels"]
    assert pixels.shape == (8, 16, 16, 3)
    assert (pixels[2, :, 8:] == 12).all()
    assert (pixels[2, :, :8] == 13).all()


def test_rows_without_label_are_marked(manifest):
    rows = [_row("a", 24, label=None)]
    dataset = _dataset(manifest, rows=rows)
    assert dataset.labels == [-1, -1, -1]
    assert dataset[0]["label"] == -1


def test_clips_shorter_than_the_model_needs_are_refused(manifest):
    with pytest.raises(ManifestError, match=r"1 of 3 .* clips/a-1\.mp4 with 8; .*--frames 16"):
        _dataset(manifest, frames=16)


def test_empty_selection_is_refused(manifest):
    with pytest.raises(ManifestError, match="selection is empty"):
        _dataset(manifest, rows=[])


def test_damaged_file_is_named_and_nothing_takes_its_place(manifest):
    path = manifest.root / manifest.rows[0].clip_file
    path.write_bytes(path.read_bytes()[:300])
    dataset = _dataset(manifest, training=True)
    with pytest.raises(ManifestError, match=r"a-0\.mp4"):
        dataset[0]
    assert _shown(dataset[6])


def test_error_from_a_worker_becomes_one_line_again(manifest):
    (manifest.root / manifest.rows[0].clip_file).unlink()
    try:
        _dataset(manifest)[0]
    except ManifestError:
        # What DataLoader makes of a worker's error; a real worker takes 5 s to end after one.
        handed_on = ExceptionWrapper(where="in DataLoader worker process 0")
    with pytest.raises(ManifestError) as caught:
        handed_on.reraise()
    assert str(caught.value).startswith("Caught ManifestError")
    message = str(error_without_worker_traceback(caught.value))
    assert message.startswith(str(manifest.root / manifest.rows[0].clip_file))
    assert "does not exist" in message
    assert "\n" not in message


def test_error_of_the_main_process_is_left_as_it_is():
    error = ManifestError("one line")
    assert error_without_worker_traceback(error) is error


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_living_workers_follow_the_epoch(manifest):
    augmentation = build_augmentation(Augmentation(name="dfdc"), 32)
    dataset = _dataset(manifest, training=True, augmentation=augmentation)
    loader = DataLoader(dataset, 3, num_workers=2, persistent_workers=True, worker_init_fn=prepare_worker)
    for epoch in (0, 7):
        dataset.set_epoch(epoch)
        loaded = torch.cat([batch["pixels"] for batch in loader])
        assert torch.equal(loaded, torch.stack([dataset[index]["pixels"] for index in range(9)]))
