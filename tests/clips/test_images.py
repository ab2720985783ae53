"""Pictures as examples: clips of one frame."""

import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from deepfake_ssat.clips.augment import build_augmentation
from deepfake_ssat.clips.images import image_dataset
from deepfake_ssat.clips.items import prepare_worker
from deepfake_ssat.config import ArrayFile, Augmentation
from deepfake_ssat.errors import ConfigError
from tests.clips.pictures import colourful_frame


def _source(folder, channels: int = 3) -> ArrayFile:
    images = np.stack([colourful_frame(28, seed) for seed in range(4)])[..., :channels]
    arrays = {"images": images, "labels": np.array([[0], [1], [0], [1]])}
    values = {f"{split}_{key}": value for split in ("train", "val", "test") for key, value in arrays.items()}
    np.savez(folder / "set.npz", **values)
    return ArrayFile(path=folder / "set.npz")


def test_item_is_a_clip_of_one_frame(tmp_path):
    dataset = image_dataset(_source(tmp_path), "val", 28, None, seed=0)
    item = dataset[2]
    assert item["pixels"].shape == (1, 28, 28, 3)
    assert item["pixels"].dtype == torch.uint8
    assert (item["pixels"][0].numpy() == colourful_frame(28, 2)).all()
    assert (item["label"], item["video"]) == (0, 2)
    assert dataset.videos[2] == "val/2"
    assert dataset.labels == [0, 1, 0, 1]


def test_only_training_pictures_are_augmented(tmp_path):
    augmentation = build_augmentation(Augmentation(name="none", random_erasing=1.0), 28)
    train = image_dataset(_source(tmp_path), "train", 28, augmentation, seed=0)
    val = image_dataset(_source(tmp_path), "val", 28, augmentation, seed=0)
    assert not torch.equal(train[0]["pixels"], val[0]["pixels"])
    assert (val[0]["pixels"][0].numpy() == colourful_frame(28, 0)).all()


def test_augmentation_follows_seed_epoch_and_index(tmp_path):
    augmentation = build_augmentation(Augmentation(name="rand_augment"), 28)

    def shown(seed: int, epoch: int) -> list[bytes]:
        dataset = image_dataset(_source(tmp_path), "train", 28, augmentation, seed)
        dataset.set_epoch(epoch)
        return [dataset[index]["pixels"].numpy().tobytes() for index in (3, 0, 1)]

    assert shown(0, 1) == shown(0, 1)
    assert shown(0, 1) != shown(0, 2)
    assert shown(0, 1) != shown(1, 1)


def test_grey_is_kept_or_repeated_for_a_colour_model(tmp_path):
    source = _source(tmp_path, channels=1)
    assert image_dataset(source, "val", 28, None, 0)[0]["pixels"].shape == (1, 28, 28, 1)
    repeated = image_dataset(source, "val", 28, None, 0, channels=3)[0]["pixels"]
    assert repeated.shape == (1, 28, 28, 3)
    assert torch.equal(repeated[..., 0], repeated[..., 2])


def test_colour_is_not_thrown_away(tmp_path):
    with pytest.raises(ConfigError, match=r"set model\.channels=3"):
        image_dataset(_source(tmp_path), "val", 28, None, 0, channels=1)


def test_examples_cannot_change_the_stored_pictures(tmp_path):
    dataset = image_dataset(_source(tmp_path), "val", 28, None, seed=0)
    dataset[0]["pixels"].zero_()
    assert dataset[0]["pixels"].any()


@pytest.mark.parametrize("channels", [1, 3])
def test_data_set_reaches_spawned_workers(tmp_path, channels):
    dataset = image_dataset(_source(tmp_path, channels), "train", 28, None, seed=0, channels=3)
    copied = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(copied[1]["pixels"], dataset[1]["pixels"])


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_workers_and_main_process_give_the_same_examples(tmp_path):
    augmentation = build_augmentation(Augmentation(name="flip"), 28)
    dataset = image_dataset(_source(tmp_path), "train", 28, augmentation, seed=0)
    loader = DataLoader(
        dataset,
        batch_size=2,
        num_workers=2,
        worker_init_fn=prepare_worker,
        persistent_workers=True,
    )
    for epoch in (1, 2):
        dataset.set_epoch(epoch)
        loaded = torch.cat([batch["pixels"] for batch in loader])
        assert torch.equal(loaded, torch.stack([dataset[index]["pixels"] for index in range(4)]))


def test_random_resized_crop_sees_the_whole_picture(tmp_path):
    """A picture twice as wide as high: with its centre alone, training would never see the outer quarters."""
    images = np.zeros((4, 28, 56, 3), np.uint8)
    images[:, :, :14] = 255
    labels = np.array([[0], [1], [0], [1]])
    names = [f"{split}_{key}" for split in ("train", "val", "test") for key in ("images", "labels")]
    np.savez(tmp_path / "wide.npz", **dict(zip(names, [images, labels] * 3, strict=True)))
    augmentation = build_augmentation(Augmentation(name="none", random_resized_crop=(0.1, 0.3)), 28)
    dataset = image_dataset(ArrayFile(path=tmp_path / "wide.npz"), "train", 28, augmentation, 0, crops=True)
    bright = 0
    for epoch in range(10):
        dataset.set_epoch(epoch)
        bright += any(int(dataset[index]["pixels"].max()) == 255 for index in range(4))
    assert bright >= 5


def test_validation_and_test_cut_the_border_off_and_training_does_not(tmp_path):
    source = _source(tmp_path).model_copy(update={"crop_pct": 0.875})
    flip = build_augmentation(Augmentation(name="flip"), 28)
    val, train = (image_dataset(source, split, 28, flip, seed=0) for split in ("val", "train"))
    whole = colourful_frame(28, 0)
    assert not (val[0]["pixels"][0].numpy() == whole).all()
    shown = train[0]["pixels"][0].numpy()
    assert (shown == whole).all() or (shown == whole[:, ::-1]).all()
