"""Aligned pairs: which fakes stand beside which genuine face, and at which frames."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from deepfake_ssat.clips.aligned import AlignedPairs
from deepfake_ssat.clips.augment import build_augmentation
from deepfake_ssat.clips.storage import ClipWriter
from deepfake_ssat.config import Augmentation, ExtractionSettings
from deepfake_ssat.errors import ManifestError
from deepfake_ssat.manifest import Manifest
from deepfake_ssat.records import FAKE, REAL, ManifestRow
from tests.manifests import TinyVideo, tiny_row

CONTRACT = ExtractionSettings(frames=4, crop_size=32)


def real(name, num_frames=12, **changes) -> ManifestRow:
    row = tiny_row(TinyVideo(name, REAL, "train"), 0, num_frames, CONTRACT)
    return replace(row, **{"clip_file": f"{name}-{row.track_id}.mp4", **changes})


def fake(name, original, num_frames=12, **changes) -> ManifestRow:
    row = tiny_row(TinyVideo(name, FAKE, "train"), 0, num_frames, CONTRACT)
    given = {"clip_file": f"{name}.mp4", "original": original, "is_aligned": True}
    return replace(row, **given | changes)


def make_pairs(folder, *rows, frames=4, contract=CONTRACT, **options) -> AlignedPairs:
    """Pixels of stored frame k tell its true number: 10·k, in fakes 1 more; the left half 1 more again."""
    for row in rows:
        pixels = np.empty((row.num_frames, 32, 32, 3), np.uint8)
        numbers = row.first_frame + row.frame_stride * np.arange(row.num_frames)
        pixels[:] = (10 * numbers + (row.label == FAKE)).astype(np.uint8)[:, None, None, None]
        pixels[:, :, :16] += 2
        with ClipWriter(folder / row.clip_file, fps=25) as writer:
            writer.write(pixels)
    given = {"image_size": 32, "clips_per_face": 1, "augmentation": None, "seed": 0} | options
    return AlignedPairs(Manifest(folder, rows, contract, (), "hash"), rows, frames, **given)


def frames_of(item) -> list[int]:
    return (item["pixels"][:, 0, -1, 0] // 10).tolist()


def shown(examples, epoch, index) -> str:
    return examples.videos[examples.example(index, epoch)["video"]]


@pytest.mark.slow
def test_pair_shows_the_same_frames_of_both_videos(tmp_path):
    examples = make_pairs(tmp_path, real("a"), fake("b", "a", 10, first_frame=3))
    assert (examples.labels, examples.pairs(5)) == ([REAL, FAKE], [(0, 1)])
    starts = set()
    for epoch in range(40):
        genuine, manipulated = examples.example(0, epoch), examples.example(1, epoch)
        assert (genuine["label"], manipulated["label"]) == (REAL, FAKE)
        assert frames_of(genuine) == frames_of(manipulated)
        assert torch.equal(genuine["pixels"] + 1, manipulated["pixels"])
        starts.add(frames_of(genuine)[0])
    # 3 is the first frame that both have, and 8 the last from which four of them follow in the original.
    assert starts == set(range(3, 9))


def test_views_are_of_the_frames_that_the_item_shows(tmp_path):
    def twice(clip, _):
        return torch.from_numpy(np.stack([clip, clip]))

    examples = make_pairs(tmp_path, real("a"), fake("b", "a"), views=twice)
    for index in range(2):
        item = examples.example(index, 3)
        assert item["views"].shape == (2, 4, 32, 32, 3)
        assert torch.equal(item["views"][0], item["pixels"])


def test_every_fake_of_an_original_has_its_turn(tmp_path):
    examples = make_pairs(tmp_path, real("a"), *(fake(name, "a") for name in "bcd"))
    assert len(examples) == 2
    assert {shown(examples, epoch, 1) for epoch in range(30)} == {"tiny/b", "tiny/c", "tiny/d"}
    assert {shown(examples, epoch, 0) for epoch in range(30)} == {"tiny/a"}


def test_draws_are_the_same_for_the_same_seed_epoch_and_item(tmp_path):
    rows = real("a"), fake("b", "a"), fake("c", "a")
    first, second = (make_pairs(tmp_path, *rows, seed=7, clips_per_face=3) for _ in range(2))
    other = make_pairs(tmp_path, *rows, seed=8, clips_per_face=3)
    first.set_epoch(4)
    same = [torch.equal(first[index]["pixels"], second.example(index, 4)["pixels"]) for index in range(6)]
    assert all(same)
    assert not all(
        torch.equal(first[index]["pixels"], other.example(index, 4)["pixels"]) for index in range(6)
    )


def test_pair_gets_one_augmentation(tmp_path):
    augmentation = build_augmentation(Augmentation(name="flip"), 32)
    examples = make_pairs(tmp_path, real("a"), fake("b", "a"), augmentation=augmentation)
    flipped = []
    for epoch in range(12):
        genuine, manipulated = examples.example(0, epoch), examples.example(1, epoch)
        assert torch.equal(genuine["pixels"] + 1, manipulated["pixels"])
        flipped.append(bool(genuine["pixels"][0, 0, 0, 0] < genuine["pixels"][0, 0, -1, 0]))
    assert set(flipped) == {True, False}


def test_what_has_no_partner_is_left_out_and_counted(tmp_path):
    far = (300.0, 10.0, 380.0, 90.0)
    examples = make_pairs(
        tmp_path,
        real("a"),
        real("alone"),
        real("a", track_id=1, clip_file="a-1.mp4", box=far),
        fake("b", "a"),
        fake("unaligned", "a", is_aligned=False),
        fake("absent", "elsewhere"),
        fake("later", "a", 4, first_frame=40),
        fake("unknown", ""),
    )
    assert {shown(examples, epoch, index) for epoch in range(9) for index in (0, 1)} == {"tiny/a", "tiny/b"}
    count = examples.count
    assert (count.genuine, count.fakes, count.genuine_alone, count.fakes_alone) == (1, 1, 2, 4)
    assert str(count).startswith("1 genuine faces, each beside one of 1 aligned fakes; without a partner")


def test_second_person_stands_beside_her_own_fake(tmp_path):
    far = (300.0, 10.0, 380.0, 90.0)
    examples = make_pairs(
        tmp_path,
        real("a"),
        real("a", track_id=1, clip_file="a-1.mp4", box=far, num_frames=8),
        fake("b", "a", track_id=5, clip_file="b-5.mp4", box=far, num_frames=8),
    )
    assert (examples.count.genuine, examples.count.genuine_alone) == (1, 1)
    assert max(frames_of(examples.example(0, epoch))[0] for epoch in range(20)) == 4


def test_crops_pair_by_number_wherever_their_faces_were(tmp_path):
    cut = ExtractionSettings(frames=4, margin=0.0, already_cut=True)
    rows = [
        real("a", 1, first_frame=number, clip_file=f"a-{number}.mp4", box=(0, 0, 32, 32)) for number in (0, 9)
    ]
    rows += [
        fake("b", "a", 1, first_frame=number, clip_file=f"b-{number}.mp4", box=(0, 0, 320, 320))
        for number in (9, 18)
    ]
    examples = make_pairs(tmp_path, *rows, frames=1, contract=cut)
    assert {tuple(frames_of(examples.example(index, 3))) for index in (0, 1)} == {(9,)}


def test_looser_clips_are_cut_down_to_the_middle(tmp_path):
    examples = make_pairs(tmp_path, real("a"), fake("b", "a"), part=0.5, image_size=16)
    pixels = examples.example(0, 0)["pixels"]
    assert pixels.shape == (4, 16, 16, 3)
    # The step between the halves of the picture stays in the middle.
    assert (pixels[0, 0, :8, 0] - pixels[0, 0, 8:, 0] == 2).all()


def test_crops_of_shifted_boxes_show_the_same_part_of_the_frame(tmp_path):
    """One frame of 200 pixels, cut at 104 pixels a side (1.3 faces of 80), 8 pixels apart, shown at 32."""
    contract = ExtractionSettings(frames=1, crop_size=104)
    frame = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    rows = [
        real("a", 1, box=(50.0, 50.0, 130.0, 130.0)),
        fake("b", "a", 1, box=(58.0, 54.0, 138.0, 134.0)),
    ]
    for row in rows:
        left, top = (round(corner - 0.15 * 80) for corner in row.box[:2])
        with ClipWriter(tmp_path / row.clip_file, fps=25) as writer:
            writer.write(frame[None, top : top + 104, left : left + 104])
    examples = AlignedPairs(Manifest(tmp_path, tuple(rows), contract, (), "hash"), rows, 1, 32, 1, None, 0)
    genuine, manipulated = examples.example(0, 0)["pixels"], examples.example(1, 0)["pixels"]
    assert torch.equal(genuine, manipulated)


def test_selection_without_a_pair_is_refused(tmp_path):
    with pytest.raises(
        ManifestError, match="none of 1 fakes is aligned with one of 1 genuine faces over 4 fr"
    ):
        make_pairs(tmp_path, real("a"), fake("b", "c"))
