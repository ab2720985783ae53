"""Several manifests as one experiment's data: what they must agree on, and what is said of them."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from deepfake_ssat.config import Experiment, ExtractionSettings
from deepfake_ssat.errors import ConfigError, ContractError, ManifestError
from deepfake_ssat.manifest import load_manifest, write_manifest
from deepfake_ssat.records import FAKE, REAL
from deepfake_ssat.training.data import Loaders, class_weights, load_examples
from deepfake_ssat.training.processes import Processes
from tests.clips.faces import make_face_manifest, real_videos
from tests.manifests import TinyVideo, make_manifest, tiny_videos
from tests.training.runs import tiny_values

SPLITS = ("train", "val")


def rewritten(folder, contract=None, **changes):
    """The manifest of a folder with another contract; ``changes`` map a row to the values it gets."""
    manifest = load_manifest(folder)
    contract = manifest.contract.model_copy(update=contract or {})
    rows = [
        replace(row, contract_hash=contract.hash(), **{name: get(row) for name, get in changes.items()})
        for row in manifest.rows
    ]
    write_manifest(folder, rows, (), contract)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Pairs of stills that came as crops, clips of videos, and clips of genuine people."""
    root = tmp_path_factory.mktemp("sources")
    crops = [
        TinyVideo(f"{split}{number}{kind}", int(kind == "fake"), split, corpus="crops")
        for split in SPLITS
        for number in range(3)
        for kind in ("real", "fake")
    ]
    make_manifest(root / "crops", [*crops, TinyVideo("lonely", FAKE, "train", corpus="crops")], frames=1)
    rewritten(
        root / "crops",
        {"margin": 0.0, "already_cut": True},
        original=lambda row: row.video_id.replace("fake", "real") if row.label == FAKE else "",
        is_aligned=lambda row: row.label == FAKE,
    )
    make_manifest(root / "videos", tiny_videos(2, splits=SPLITS), frames=16, size=64)
    make_face_manifest(root / "people", [*real_videos(3), *real_videos(2, "val")], frames=16)
    return root


def mixture(folders, items=24, model=None, **sources) -> Experiment:
    given = {
        "crops": {"manifest": str(folders / "crops"), "pairs": "aligned", "weight": 0.5},
        "videos": {"manifest": str(folders / "videos"), "weight": 0.25},
        "people": {"manifest": str(folders / "people"), "pseudo_fakes": {}, "weight": 0.25},
    }
    for name, changes in sources.items():
        given[name] = given[name] | changes
    values = tiny_values(folders, model={"frames": 1, "tubelet": 1, "image_size": 64} | (model or {}))
    values["data"] = {"kind": "mixture", "items_per_epoch": items, "sources": given}
    return Experiment.model_validate(values)


def test_mixture_trains_on_all_sources_and_says_of_what(folders):
    examples = load_examples(mixture(folders))
    assert examples.notes == (
        "source crops: 12 of an epoch's items, drawn from 6; pairs: 3 genuine faces, each beside one of 3 "
        "aligned fakes; without a partner, and not trained on: 0 genuine faces, 1 fakes",
        "source videos: 6 of an epoch's items, drawn from 4",
        "source people: 6 of an epoch's items, drawn from 6",
    )
    assert {name.split("/")[0] for name in examples.seen["train"]} == {"crops", "tiny"}
    hashes = [load_manifest(folders / name).hash for name in ("crops", "videos", "people")]
    assert examples.manifest_hash == hashlib.sha256("".join(hashes).encode()).hexdigest()


def test_contract_of_a_mixture_is_that_of_its_videos_at_the_tightest_margin(folders):
    examples = load_examples(mixture(folders))
    expected = load_manifest(folders / "videos").contract.model_copy(update={"margin": 0.0})
    assert examples.contract == expected
    assert not examples.contract.already_cut


def test_validation_is_every_source_s_own(folders):
    everything = load_examples(mixture(folders)).val
    without = load_examples(mixture(folders, crops={"validates": False})).val
    assert len(everything) - len(without) == 6
    assert any(name.startswith("crops/") for name in everything.videos)
    assert not any(name.startswith("crops/") for name in without.videos)
    assert any("pseudo-fake" in name for name in without.videos)


def test_class_weight_of_a_mixture_counts_the_items_of_an_epoch(folders):
    settings = mixture(folders)
    weights = class_weights(settings, load_examples(settings).train.labels)
    assert weights.tolist() == pytest.approx([0.5, 0.5], abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_mixture_goes_on_anywhere_in_an_epoch_whoever_loads_it(folders, workers):
    settings = mixture(folders)
    settings = settings.model_copy(
        update={"trainer": settings.trainer.model_copy(update={"workers": workers})}
    )
    first, second = (Loaders(load_examples(settings), settings, Processes()) for _ in range(2))
    first.start(3)
    second.start(3, first_batch=5)
    for left, right in zip(list(first.train)[5:], second.train, strict=True):
        assert torch.equal(left["pixels"], right["pixels"])
        assert torch.equal(left["label"], right["label"])


def test_processes_share_a_mixture(folders):
    settings = mixture(folders, 16)
    shares = []
    for rank in range(2):
        loaders = Loaders(load_examples(settings), settings, Processes(rank, 2, 2))
        shares.append([pixels for batch in loaders.train for pixels in batch["pixels"]])
    assert [len(share) for share in shares] == [8, 8]


def test_person_in_two_splits_of_two_sources_is_refused(folders, tmp_path):
    videos = [TinyVideo("x", REAL, "train"), TinyVideo("y", FAKE, "train", identities=("original/c23/val0",))]
    videos += [TinyVideo("v", REAL, "val"), TinyVideo("w", FAKE, "val")]
    make_manifest(tmp_path, videos, frames=16, size=64)
    with pytest.raises(ManifestError, match=r"identity original/c23/val0 in train \(y\) and val"):
        load_examples(mixture(folders, people={"manifest": str(tmp_path), "pseudo_fakes": None}))


def test_sources_cut_otherwise_are_refused(folders, tmp_path):
    make_manifest(tmp_path, tiny_videos(1, splits=SPLITS), frames=16, size=24)
    with pytest.raises(ContractError, match=r"crop_size is 64 in source videos and 24 in"):
        load_examples(mixture(folders, people={"manifest": str(tmp_path), "pseudo_fakes": None}))


def test_margin_that_a_source_does_not_reach_is_refused(folders):
    settings = mixture(folders)
    wide = settings.model_copy(update={"data": settings.data.model_copy(update={"margin": 0.3})})
    with pytest.raises(ContractError, match=r"margin is 0\.3 in data\.margin and 0 in .*crops"):
        load_examples(wide)


def test_crops_are_no_clips(folders):
    with pytest.raises(ConfigError, match=r"model\.frames is 4, the crops of .* are single pictures; set"):
        load_examples(mixture(folders, model={"frames": 4, "tubelet": 2}))


def test_crops_have_no_landmarks_to_forge_by(folders):
    with pytest.raises(ConfigError, match=r"pseudo_fakes need landmarks, the crops of .* were taken as they"):
        load_examples(mixture(folders, crops={"pairs": "none", "pseudo_fakes": {}}))


def test_pairs_of_one_manifest_come_in_one_batch(folders):
    values = tiny_values(folders / "crops", model={"frames": 1, "tubelet": 1})
    values["data"] |= {"pairs": "aligned"}
    settings = Experiment.model_validate(values)
    examples = load_examples(settings)
    assert examples.notes == ("pairs: " + str(examples.train.count),)
    loaders = Loaders(examples, settings, Processes())
    assert [sorted(batch["label"].tolist()) for batch in loaders.train] == [[REAL, FAKE]] * 3


def test_clips_are_shown_at_a_margin_below_their_own(folders):
    values = tiny_values(folders / "videos", augmentation={"name": "none"})
    values["data"] |= {"margin": 0.0}
    settings = Experiment.model_validate(values)
    stored = load_manifest(folders / "videos").contract
    examples = load_examples(settings)
    assert examples.contract == stored.model_copy(update={"margin": 0.0})
    whole = load_examples(Experiment.model_validate(tiny_values(folders / "videos"))).val[0]["pixels"]
    # 32 pixels at 1.3 faces: the face's own are the 25 in the middle.
    part = whole[0, 3:28, 3:28].float()
    assert examples.val[0]["pixels"][0].float().mean() == pytest.approx(float(part.mean()), abs=1.5)
    assert np.isclose(ExtractionSettings(margin=0.0).part_of(stored), 1 / 1.3)
