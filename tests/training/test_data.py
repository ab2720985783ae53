import pytest
import torch

from deepfake_ssat.config import Experiment, load_experiment
from deepfake_ssat.errors import ConfigError, ManifestError
from deepfake_ssat.records import FAKE, REAL
from deepfake_ssat.training.data import Loaders, class_weights, load_examples
from deepfake_ssat.training.processes import Processes
from tests.clips.faces import make_face_manifest, real_videos
from tests.manifests import TinyVideo, make_manifest, tiny_videos
from tests.training.runs import tiny_values, write_config


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    videos = [
        *tiny_videos(2, splits=("train", "val")),
        TinyVideo("more", FAKE, "train"),
        TinyVideo("x", FAKE, "val", tracks=2),
    ]
    make_manifest(folder, videos, frames=16)
    return folder


def experiment(manifest, **changes):
    return Experiment.model_validate(tiny_values(manifest, **changes))


def test_examples_are_the_selected_clips_with_contract_and_people(manifest):
    examples = load_examples(experiment(manifest))
    assert len(examples.train) == 5
    assert len(examples.val) == 6 * 2
    assert examples.contract is not None
    assert examples.seen is not None
    assert "tiny/more" in examples.seen["train"]
    assert not set(examples.seen["train"]) & set(examples.seen["val"])


def test_loaders_show_the_same_batches_when_started_at_the_same_place(manifest):
    settings = experiment(manifest)
    first, second = (Loaders(load_examples(settings), settings, Processes()) for _ in range(2))
    first.start(3)
    second.start(3, first_batch=1)
    for left, right in zip(list(first.train)[1:], second.train, strict=True):
        assert torch.equal(left["pixels"], right["pixels"])
        assert torch.equal(left["label"], right["label"])


def test_next_epoch_shows_other_windows(manifest):
    settings = experiment(manifest, optimizer={"batch_size": 5})
    loaders = Loaders(load_examples(settings), settings, Processes())
    (first,), (again,) = list(loaders.train), list(loaders.train)
    loaders.start(1)
    (second,) = list(loaders.train)
    assert torch.equal(first["pixels"], again["pixels"])
    assert not torch.equal(first["pixels"].sort(dim=0).values, second["pixels"].sort(dim=0).values)


def test_validation_items_carry_their_number(manifest):
    settings = experiment(manifest)
    loaders = Loaders(load_examples(settings), settings, Processes(1, 2, 2))
    assert [item for batch in loaders.val for item in batch["item"].tolist()] == [1, 3, 5, 7, 9, 11]


def test_more_processes_than_validation_items_are_refused(manifest):
    settings = experiment(manifest)
    with pytest.raises(ConfigError, match="20 processes cannot share 12 validation items"):
        Loaders(load_examples(settings), settings, Processes(19, 20, 20))


def test_class_weight_is_the_fraction_of_fakes_on_the_real_class(manifest):
    weights = class_weights(experiment(manifest), [FAKE, FAKE, FAKE, REAL])
    assert weights is not None
    assert weights.tolist() == [0.75, 0.25]


def test_balanced_sampling_needs_no_weight(manifest):
    weights = class_weights(experiment(manifest, data={"balanced_sampling": True}), [FAKE, FAKE, REAL])
    assert weights is not None
    assert weights.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("objective", [{"class_weight": "none"}, {"name": "mae"}])
def test_no_weights_where_none_are_wanted(manifest, objective):
    assert class_weights(experiment(manifest, objective=objective), [FAKE, REAL]) is None


def test_given_class_weight_is_taken(manifest):
    weights = class_weights(experiment(manifest, objective={"class_weight": 0.9}), [FAKE])
    assert weights is not None
    assert weights.tolist() == pytest.approx([0.9, 0.1])


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"model": {"frames": 32}}, "model.frames is 32, the clips were extracted for 16; run preprocess"),
        ({"model": {"num_classes": 3}}, "model.num_classes is 3, face clips need 2"),
        ({"model": {"channels": 1, "mean": [0.5], "std": [0.5]}}, "model.channels is 1, face clips need 3"),
    ],
)
def test_model_that_cannot_read_face_clips_is_refused(manifest, changes, rule):
    with pytest.raises(ConfigError, match=rule):
        load_examples(experiment(manifest, **changes))


def test_validation_of_one_class_is_refused(tmp_path):
    make_manifest(tmp_path, [*tiny_videos(1, splits=("train",)), TinyVideo("v", REAL, "val")], frames=16)
    with pytest.raises(ManifestError, match="1 real and 0 fake, choosing the best weights needs both"):
        load_examples(experiment(tmp_path, data={"val_clips_per_face": 1}))


@pytest.fixture(scope="module")
def genuine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("genuine")
    make_face_manifest(folder, [*real_videos(4), *real_videos(2, "val")], frames=16)
    return folder


def test_genuine_clips_alone_train_and_validate_with_pseudo_fakes(genuine):
    settings = experiment(genuine, data={"pseudo_fakes": {"share": 0.5}}, model={"image_size": 64})
    examples = load_examples(settings)
    assert (examples.train.labels.count(REAL), examples.train.labels.count(FAKE)) == (4, 2)
    # Two of each person and window, in validation half of the windows.
    assert (examples.val.labels.count(REAL), examples.val.labels.count(FAKE)) == (4, 2)
    weights = class_weights(settings, examples.train.labels)
    assert weights is not None
    assert weights.tolist() == pytest.approx([1 / 3, 2 / 3])


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_batches_hold_pairs_whoever_loads_them(genuine, workers):
    settings = experiment(
        genuine, data={"pseudo_fakes": {"swap": 9.0}}, model={"image_size": 64}, trainer={"workers": workers}
    )
    loaders = Loaders(load_examples(settings), settings, Processes())
    loaders.start(1)
    batches = list(loaders.train)
    assert [sorted(batch["label"].tolist()) for batch in batches] == [[REAL, FAKE]] * 4
    for batch in batches:
        first, second = batch["pixels"].float()
        assert 0 < (first - second).abs().mean() < 30


def test_misspelt_kind_of_pseudo_fake_is_refused(genuine, tmp_path):
    file = write_config(tmp_path / "config.yaml", tiny_values(genuine))
    with pytest.raises(
        ConfigError, match=r"data\.pseudo_fakes\.self_blends is no key; did you mean self_blend"
    ):
        load_experiment(file, ["data.pseudo_fakes={self_blends: 1}"])
