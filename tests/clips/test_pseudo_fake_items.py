"""Pseudo-fakes among the items: pairs that share all but the manipulation, honest labels and groups."""

from collections import Counter

import numpy as np
import pytest
import torch

from deepfake_ssat.clips.augment import build_augmentation
from deepfake_ssat.clips.dataset import FaceClipDataset
from deepfake_ssat.clips.landmarks import landmarks_path
from deepfake_ssat.config import H264, Augmentation, PseudoFakes
from deepfake_ssat.errors import ManifestError
from deepfake_ssat.records import FAKE, REAL
from tests.clips.faces import make_face_manifest, real_videos
from tests.manifests import TinyVideo

VIDEOS = [*real_videos(5), TinyVideo("swapped", FAKE, "train", "Deepfakes")]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return make_face_manifest(tmp_path_factory.mktemp("faces"), VIDEOS, stills=["train3", "train4"])


def _dataset(
    manifest, training=True, frames=4, size=64, clips=1, augmentation=None, seed=0, rows=None, **fakes
):
    rows = manifest.rows if rows is None else rows
    settings = PseudoFakes(**fakes)
    return FaceClipDataset(manifest, rows, frames, size, clips, augmentation, seed, training, settings)


def _pixels(item):
    return item["pixels"].numpy().astype(int)


@pytest.mark.slow
@pytest.mark.parametrize("training", [True, False])
def test_each_genuine_item_has_its_pseudo_fake_and_the_manifest_s_fakes_stay(manifest, training):
    dataset = _dataset(manifest, training, clips=2)
    pairs = dataset.pairs(0)
    genuine = [i for i, label in enumerate(dataset.labels) if label == REAL]
    assert [real for real, _ in pairs] == genuine
    assert [dataset.labels[fake] for _, fake in pairs] == [FAKE] * len(genuine)
    own = [i for i, label in enumerate(dataset.labels) if label == FAKE and i < pairs[0][1]]
    assert {dataset.videos[dataset.item_videos[i]] for i in own} == {"tiny/swapped"}
    items = [dataset[index] for index in range(len(dataset))]
    assert [item["label"] for item in items] == dataset.labels
    assert [item["video"] for item in items] == dataset.item_videos


@pytest.mark.slow
def test_pair_shares_its_frames_beside_the_manipulation(manifest):
    # Self-blending may change what is around the face in place of the face.
    dataset = _dataset(manifest, self_blend=0.0)
    for epoch in range(4):
        dataset.set_epoch(epoch)
        for real, fake in dataset.pairs(epoch):
            difference = np.abs(_pixels(dataset[real]) - _pixels(dataset[fake])).max(axis=-1)
            assert difference.max() > 3
            assert (difference[:, :3] == 0).all()
            assert (difference[:, :, :2] == 0).all()


@pytest.mark.slow
def test_pair_shares_augmentation_and_compression(manifest):
    augmentation = build_augmentation(Augmentation(name="dfdc", h264=H264(probability=0.5, crf=(20, 30))), 64)
    plain = _dataset(manifest, self_blend=0.0)
    augmented = _dataset(manifest, augmentation=augmentation, self_blend=0.0)
    changes = []
    for epoch in range(6):
        plain.set_epoch(epoch)
        augmented.set_epoch(epoch)
        for real, fake in plain.pairs(epoch):
            shown = _pixels(augmented[real])[:, :4]
            changes.append(np.abs(shown - _pixels(plain[real])[:, :4]).mean())
            # Above the face both are alike, whatever was drawn.
            assert np.abs(shown - _pixels(augmented[fake])[:, :4]).mean() < 2.0
    assert np.median(changes) > 5.0


@pytest.mark.slow
def test_items_depend_on_seed_epoch_and_index_only(manifest):
    augmentation = build_augmentation(Augmentation(name="dfdc", h264=H264(probability=1.0, crf=(20, 40))), 64)

    def shown(seed, epoch, order):
        dataset = _dataset(manifest, augmentation=augmentation, seed=seed, share=0.6)
        dataset.set_epoch(epoch)
        return {index: dataset[index]["pixels"].numpy().tobytes() for index in order}

    assert shown(0, 3, [0, 4, 6, 8]) == shown(0, 3, [8, 6, 0, 4])
    assert shown(0, 3, [6]) != shown(0, 4, [6])
    assert shown(0, 3, [6]) != shown(1, 3, [6])
    # x264 with macroblock trees repeated itself only nearly always.
    for epoch in range(4, 10):
        assert shown(0, epoch, [0, 4, 6, 8]) == shown(0, epoch, [8, 6, 0, 4])


def test_share_of_the_genuine_items_appears_manipulated_others_every_epoch(manifest):
    dataset = _dataset(manifest, share=0.4)
    assert len(dataset) == len(manifest.rows) + 2
    shown = [tuple(sorted(real for real, _ in dataset.pairs(epoch))) for epoch in range(12)]
    assert all(len(set(pair)) == 2 for pair in shown)
    assert set(range(5)) <= {manifest_index for pair in shown for manifest_index in pair} | {5}
    assert len(set(shown)) > 3


def test_pseudo_fakes_are_videos_of_their_own(manifest):
    dataset = _dataset(manifest, training=False, clips=3)
    labels = {}
    for index in range(len(dataset)):
        labels.setdefault(dataset.item_videos[index], set()).add(dataset.labels[index])
    assert all(len(found) == 1 for found in labels.values())
    assert len(labels) == len(dataset.videos) == 11
    (name,) = {dataset.videos[dataset.item_videos[fake]] for real, fake in dataset.pairs(0)[:2]}
    assert name.endswith(" (pseudo-fake)")


def test_validation_does_not_change_over_the_epochs(manifest):
    dataset = _dataset(manifest, training=False)
    before = [dataset[index]["pixels"] for index in range(len(dataset))]
    dataset.set_epoch(5)
    assert all(torch.equal(dataset[index]["pixels"], pixels) for index, pixels in enumerate(before))


def test_stills_move_alike_for_both_of_a_pair(manifest):
    dataset = _dataset(manifest, frames=8, self_blend=0.0)
    still = next(i for i, row in enumerate(manifest.rows) if row.num_frames == 1)
    ((real, fake),) = [pair for pair in dataset.pairs(0) if pair[0] == still]
    frames, forged = _pixels(dataset[real]), _pixels(dataset[fake])
    assert frames.shape == (8, 64, 64, 3)
    assert np.abs(np.diff(frames, axis=0)).mean() > 0.5
    assert np.array_equal(frames[:, :2], forged[:, :2])
    assert not np.array_equal(frames, forged)


def test_single_frames_have_pseudo_fakes_too(manifest):
    dataset = _dataset(manifest, frames=1)
    assert all(
        not torch.equal(dataset[real]["pixels"], dataset[fake]["pixels"]) for real, fake in dataset.pairs(0)
    )


@pytest.mark.parametrize("at_model_size", [False, True])
def test_pairs_are_brought_to_the_model_s_size(manifest, at_model_size):
    dataset = _dataset(manifest, size=48, at_model_size=at_model_size)
    real, fake = dataset.pairs(0)[0]
    assert dataset[fake]["pixels"].shape == (4, 48, 48, 3)
    assert not torch.equal(dataset[real]["pixels"], dataset[fake]["pixels"])


def test_without_pseudo_fakes_nothing_changes_and_no_landmarks_are_read(tmp_path):
    manifest = make_face_manifest(tmp_path, real_videos(2))
    for row in manifest.rows:
        landmarks_path(tmp_path / row.clip_file).unlink()
    plain = FaceClipDataset(manifest, manifest.rows, 4, 64, 1, None, 0, True)
    assert (len(plain), plain.pairs(0)) == (2, [])
    assert plain.videos == ["tiny/train0", "tiny/train1"]
    assert Counter(plain.labels) == {REAL: 2}
    assert plain[0]["pixels"].shape == (4, 64, 64, 3)
    with pytest.raises(ManifestError, match="run the same preprocess command again"):
        _dataset(manifest)


def test_selection_without_genuine_clips_is_refused(manifest):
    rows = [row for row in manifest.rows if row.label == FAKE]
    with pytest.raises(ManifestError, match=r"data\.pseudo_fakes needs genuine clips"):
        _dataset(manifest, rows=rows)


@pytest.mark.slow
def test_face_that_shows_no_manipulation_gives_way_to_another(manifest, monkeypatch):
    from deepfake_ssat.clips import forging

    whole = forging.pseudo_fake_pair
    first = _dataset(manifest)
    real = _pixels(first[0])

    def refuse(frames, landmarks, generator, settings, donor):
        return None if np.array_equal(frames, real) else whole(frames, landmarks, generator, settings, donor)

    monkeypatch.setattr(forging, "pseudo_fake_pair", refuse)
    dataset = _dataset(manifest)
    item = dataset[dataset.pairs(0)[0][1]]
    assert item["label"] == FAKE
    assert not np.array_equal(_pixels(item), real)
    monkeypatch.setattr(forging, "pseudo_fake_pair", lambda *_: None)
    with pytest.raises(ManifestError, match="nor on 19 other faces"):
        dataset[dataset.pairs(0)[0][1]]
