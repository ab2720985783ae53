"""Several sources as one: how many items of each, in which order, and whose videos validate."""

from collections import Counter

import pytest
import torch

from deepfake_ssat.clips.dataset import FaceClipDataset
from deepfake_ssat.clips.mixture import JoinedClips, MixedClips, WeightedSource
from deepfake_ssat.errors import ConfigError, ManifestError
from deepfake_ssat.records import FAKE, REAL
from deepfake_ssat.training.batches import EpochBatches
from deepfake_ssat.training.processes import Processes
from tests.clips.test_aligned import fake, make_pairs, real
from tests.manifests import TinyVideo, make_manifest


def singles(folder, *videos, training=True, frames=4) -> FaceClipDataset:
    manifest = make_manifest(folder, videos, clip_frames=4, frames=12)
    return FaceClipDataset(manifest, manifest.rows, frames, 32, 1, None, 0, training)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Three pairs of 6 items, of which two fakes each; and seven singles, two of them genuine."""
    folder = tmp_path_factory.mktemp("mixture")
    rows = [real(name) for name in "abc"]
    rows += [fake(f"{name}{number}", name) for name in "abc" for number in range(2)]
    videos = [TinyVideo(f"s{number}", int(number > 1), "train") for number in range(7)]
    return {"pairs": make_pairs(folder, *rows), "singles": singles(folder / "singles", *videos)}


def mixed(sources, items=20, seed=1, **weights) -> MixedClips:
    weighted = [WeightedSource(name, examples, weights.get(name, 1.0)) for name, examples in sources.items()]
    return MixedClips(weighted, items, seed)


def shown(examples, epoch) -> list[str]:
    examples.set_epoch(epoch)
    return [examples.videos[examples[index]["video"]] for index in range(len(examples))]


def test_sources_share_an_epoch_by_weight(sources):
    examples = mixed(sources, 20, pairs=0.7, singles=0.3)
    assert examples.quotas == {"pairs": 14, "singles": 6}
    for epoch in (0, 3):
        names = Counter(name.split(":")[0] for name in shown(examples, epoch))
        assert names == {"pairs": 14, "singles": 6}


def test_epoch_without_a_given_length_is_as_long_as_all_sources(sources):
    assert len(mixed(sources, None)) == 12  # 13, an odd one left out.


def test_nothing_comes_again_before_its_source_is_through(sources):
    examples = mixed(sources, 8)  # Four singles an epoch, of seven.
    stream = [name for epoch in range(7) for name in shown(examples, epoch) if name.startswith("singles")]
    rounds = [stream[start : start + 7] for start in range(0, 28, 7)]
    assert all(len(set(names)) == 7 for names in rounds)
    assert rounds[0] != rounds[1]


def test_item_that_comes_again_in_an_epoch_shows_another_draw(sources):
    examples = mixed(sources, 40)
    seen = {}
    for index in range(40):
        example = examples[index]
        seen.setdefault(example["video"], []).append(example["pixels"])
    again = [pixels for pixels in seen.values() if len(pixels) > 2]
    assert again
    assert all(any(not torch.equal(pixels[0], other) for other in pixels[1:]) for pixels in again)


def test_pairs_follow_each_other_and_singles_stand_alone(sources):
    examples = mixed(sources, 20)
    examples.set_epoch(2)
    pairs = examples.pairs(2)
    assert pairs == [(index, index + 1) for index in range(0, 10, 2)]
    for pair in pairs:
        one, other = (examples[index] for index in pair)
        assert {one["label"], other["label"]} == {REAL, FAKE}
        names = [examples.videos[example["video"]] for example in (one, other)]
        assert names[0][:8] == names[1][:8]  # "pairs: tiny/a" beside "pairs: tiny/a1".


@pytest.mark.slow
def test_draws_depend_on_seed_and_epoch_only(sources):
    first, second = mixed(sources), mixed(sources)
    wanted = shown(first, 5)
    assert shown(second, 5) == wanted
    shown(second, 6)
    assert shown(second, 5) == wanted
    assert shown(mixed(sources, seed=2), 5) != wanted


@pytest.mark.parametrize("count", [1, 2, 3])
def test_processes_share_the_pairs_of_a_mixture(sources, count):
    examples = mixed(sources, 24)
    items = []
    for rank in range(count):
        batches = EpochBatches(
            examples.labels, 4, 1, False, Processes(rank, count, count), pairs=examples.pairs
        )
        own = list(batches)
        assert all({index ^ 1 for index in batch if index < 12} <= set(batch) for batch in own)
        items += [index for batch in own for index in batch]
    assert sorted(items) == list(range(24))


def test_labels_tell_the_part_of_fakes(sources):
    examples = mixed(sources, 28, pairs=0.5, singles=0.5)
    # Half of seven pairs, and five of seven singles in two rounds.
    assert examples.labels.count(FAKE) == 7 + 10


def test_balanced_source_shows_both_classes_equally(sources):
    examples = MixedClips([WeightedSource("s", sources["singles"], 1.0, balanced=True)], 28, 0)
    # Seven items a round of its own, of which four are now of the one class, now of the other.
    assert abs(examples.labels.count(FAKE) - 14) <= 2


def test_source_whose_weight_gives_it_nothing_is_refused(sources):
    with pytest.raises(
        ConfigError, match=r"data\.sources\.singles gets none of 10 items by its weight 0\.01"
    ):
        mixed(sources, 10, singles=0.01)


def test_validation_shows_all_items_of_all_sources(tmp_path):
    parts = [
        singles(tmp_path / "a", TinyVideo("v", REAL, "val", tracks=2), training=False),
        singles(tmp_path / "b", TinyVideo("w", FAKE, "val"), training=False),
    ]
    joined = JoinedClips(parts)
    assert (len(joined), joined.labels, joined.item_videos) == (3, [REAL, REAL, FAKE], [0, 0, 1])
    assert (joined.videos, joined.tracks) == (["tiny/v", "tiny/w"], [0, 1, 0])
    assert [joined[index]["video"] for index in range(3)] == [0, 0, 1]
    assert torch.equal(joined[2]["pixels"], parts[1][0]["pixels"])


def test_video_that_validates_twice_is_refused(tmp_path):
    part = singles(tmp_path, TinyVideo("v", REAL, "val"), training=False)
    with pytest.raises(ManifestError, match="video tiny/v validates in two sources; set validates of one"):
        JoinedClips([part, part])
