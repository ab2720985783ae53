from pathlib import Path

import pytest
import yaml

from deepfake_ssat.config import Experiment, Mixture, dump_experiment, load_experiment
from deepfake_ssat.errors import ConfigError
from tests.training.runs import tiny_values, write_config


@pytest.fixture
def file(tmp_path):
    return write_config(tmp_path / "tiny.yaml", tiny_values(tmp_path / "clips"))


def write(folder, name, text):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


@pytest.fixture
def family(tmp_path):
    """A base below which a file lies, with an overlay beside each of them."""
    write_config(tmp_path / "base.yaml", tiny_values(tmp_path / "clips"))
    with (tmp_path / "base.yaml").open("a") as text:
        text.write("smoke: small/clips.yaml\n")
    write(tmp_path, "small/clips.yaml", "trainer: {epochs: 1}\noptimizer: {warmup_epochs: 0}\n")
    return write(
        tmp_path,
        "deep/own.yaml",
        "base: ../base.yaml\ninit: runs/base/checkpoints/best.safetensors\n"
        "optimizer: {batch_size: 5}\ndata: {train: {manipulations: [FaceSwap]}}\n",
    )


def test_file_says_what_differs_from_its_base(family, tmp_path):
    own, base = load_experiment(family), load_experiment(tmp_path / "base.yaml")
    assert own.optimizer == base.optimizer.model_copy(update={"batch_size": 5})
    assert own.model == base.model
    assert own.data.manifest == base.data.manifest
    assert own.data.val_clips_per_face == 2


def test_selection_without_splits_keeps_to_its_own(family):
    data = load_experiment(family, ["data.val.compressions=[c23]"]).data
    assert (data.train.splits, data.val.splits) == (("train",), ("val",))
    assert data.train.manipulations == ("FaceSwap",)


def test_section_of_another_kind_takes_nothing_from_the_base(tmp_path):
    write_config(tmp_path / "base.yaml", tiny_values(tmp_path / "clips"))
    model = "model: {kind: frame_classifier, frames: 1, frames_used: 1}\nobjective: {name: scratch}\n"
    file = write(
        tmp_path,
        "own.yaml",
        f"base: base.yaml\n{model}data: {{kind: npz, path: x.npz, train_on_val: true}}\n",
    )
    assert load_experiment(file).data.model_dump(exclude_defaults=True) == {
        "path": Path("x.npz"),
        "train_on_val": True,
    }


def test_smoke_overlay_of_the_base_makes_it_small_and_changes_have_the_last_word(family):
    small = load_experiment(family, smoke=True)
    assert (small.trainer.epochs, small.optimizer.batch_size) == (1, 5)
    assert str(small.init) == "runs/smoke_base/checkpoints/best.safetensors"
    changed = load_experiment(family, ["trainer.epochs=2", "init=runs/a/b"], smoke=True)
    assert (changed.trainer.epochs, str(changed.init)) == (2, "runs/a/b")


@pytest.mark.parametrize(
    ("file", "text", "answer"),
    [
        (
            "base.yaml",
            "optimizer: {bach_size: 1}\n",
            r"base\.yaml: optimizer\.bach_size is no key; did you mean b",
        ),
        ("deep/own.yaml", "trianer: {}\n", r"own\.yaml: trianer is no key; did you mean trainer"),
        ("deep/own.yaml", "bse: x\n", r"own\.yaml: bse is no key; did you mean base"),
        ("small/clips.yaml", "model: {depht: 1}\n", r"clips\.yaml: model\.depht is no key"),
        ("small/clips.yaml", "base: nowhere.yaml\n", r"clips\.yaml: its base nowhere\.yaml is not there"),
        (
            "base.yaml",
            "base: deep/own.yaml\n",
            r"base\.yaml: its base leads back to it \(own\.yaml -> base\.yaml -> own",
        ),
        ("base.yaml", "base: [a]\n", r"base\.yaml: base is \['a'\], it must be one file"),
        ("deep/own.yaml", "smoke: gone.yaml\n", r"own\.yaml: its smoke gone\.yaml is not there"),
    ],
)
def test_wrong_key_is_answered_with_the_file_that_holds_it(family, tmp_path, file, text, answer):
    path = tmp_path / file
    before = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**before, **yaml.safe_load(text)}))
    with pytest.raises(ConfigError, match=answer) as error:
        load_experiment(family, smoke=True)
    assert "\n" not in str(error.value)


def test_wrong_change_is_answered_with_the_change(family):
    with pytest.raises(ConfigError, match=r"^--set optimizer\.speed=1: optimizer\.speed is no key"):
        load_experiment(family, ["optimizer.speed=1"])


def test_file_without_an_overlay_has_no_smoke_run(file):
    with pytest.raises(ConfigError, match=r"tiny\.yaml: names no smoke overlay; add smoke: FILE"):
        load_experiment(file, smoke=True)


def test_experiment_survives_its_own_yaml(file, tmp_path):
    experiment = load_experiment(file)
    again = tmp_path / "again.yaml"
    again.write_text(dump_experiment(experiment))
    assert load_experiment(again) == experiment


def test_changes_are_applied_in_order_with_yaml_values(file):
    changes = ["optimizer.batch_size=4", "data.val.splits=[test]", "optimizer.batch_size=6", "init=null"]
    experiment = load_experiment(file, changes)
    assert experiment.optimizer.batch_size == 6
    assert experiment.data.val.splits == ("test",)
    assert experiment.init is None


def test_exponent_without_a_point_is_a_number(file):
    assert load_experiment(file, ["optimizer.weight_decay=1e-3"]).optimizer.weight_decay == 1e-3


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        (
            "optimizer.batchsize=4",
            r"optimizer\.batchsize is no key; did you mean batch_size\? \(valid: accumul",
        ),
        (
            "optimiser.eps=1",
            r"optimiser is no key; did you mean optimizer\? \(valid: augmentation, base, data",
        ),
        ("data.manifets=x", r"data\.manifets is no key; did you mean manifest\?"),
        ("data.train.spilts=[a]", r"data\.train\.spilts is no key; did you mean splits\?"),
        ("data.clips_per_face=0", r"data\.clips_per_face: must be greater than or equal to 1 \(given: 0\)"),
        ("data.train.splits=train", r"data\.train\.splits: must be a list"),
        (
            "data.kind=videos",
            r"data\.kind videos is not known \(valid: face_clips, mixture, npz, .*image_folder\)",
        ),
        (
            "objective.name=ssta",
            r"objective\.name: must be 'scratch', 'mae', 'ssat', .* or 'ssat_dino' \(given: 'ssta'",
        ),
        ("objective.class_weight=2", r"objective\.class_weight: must be 'auto' or 'none' or .* equal to 1"),
        ("optimizer.betas=[0.9, 1]", r"optimizer\.betas\.1: must be less than 1"),
        ("model=", r"model: must be a section with keys"),
        ("model.patch=7", r"model: image_size 32 is not a multiple of patch 7"),
        ("optimizer.warmup_epochs=2", r"warmup_epochs 2 leaves nothing of trainer\.epochs 2"),
        ("seed", r"--set seed: write section\.key=value"),
        ("seed.deep=3", r"--set seed\.deep=3: seed is a value, not a section"),
        ("smoke=x.yaml", r"--set smoke=x\.yaml: smoke is a key of files alone"),
        ("seed=[", r"--set seed=\[: the value is not YAML"),
        ("seed=2020-13-45", r"--set seed=2020-13-45: the value is not YAML"),
    ],
)
def test_wrong_setting_is_answered_in_one_line_of_the_files_own_words(file, change, answer):
    with pytest.raises(ConfigError, match=answer) as error:
        load_experiment(file, [change])
    assert "\n" not in str(error.value)
    assert not str(error.value).count("literal[")


@pytest.mark.parametrize(
    ("values", "answer"),
    [
        ({"data": {"kind": "face_clips"}}, r"data\.manifest is missing"),
        ({"data": {"manifest": "x"}}, r"data\.kind is missing \(valid: face_clips"),
        (
            {"data": {"kind": "npz", "path": "x"}},
            r"data\.kind npz gives single images: model\.frames must be 1",
        ),
        ({"model": None}, r"model: must be a section"),
    ],
)
def test_wrong_section_is_answered(tmp_path, values, answer):
    file = tmp_path / "wrong.yaml"
    file.write_text(yaml.safe_dump(tiny_values(tmp_path) | values))
    with pytest.raises(ConfigError, match=answer):
        load_experiment(file)


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (b"- a\n- b\n", "holds no sections"),
        (b"a: [\n", "is not YAML"),
        (b"a: 2020-13-45\n", "is not YAML"),
        (b"\xff\xfe\x00", "cannot be read .no UTF-8 text"),
    ],
)
def test_file_that_is_no_configuration_is_named(tmp_path, content, answer):
    file = tmp_path / "odd.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=f"odd.yaml: .*{answer}"):
        load_experiment(file)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(
        ConfigError, match=r"absent\.yaml: cannot be read \(No such file or directory\); give"
    ):
        load_experiment(tmp_path / "absent.yaml")


def test_mae_has_no_labels_to_mix(tmp_path):
    with pytest.raises(ValueError, match="objective mae has no labels to mix"):
        Experiment.model_validate(
            tiny_values(tmp_path, objective={"name": "mae"}, augmentation={"mixup": 0.5})
        )


@pytest.mark.parametrize("name", ["table5", "table10"])
def test_table_of_the_paper_is_for_reproduce(name):
    table = Path("configs", "paper", f"{name}.yaml")
    with pytest.raises(ConfigError, match=f"is a table of the paper.*deepfake-ssat reproduce {table.stem} "):
        load_experiment(table)


MIXTURE = """data:
  kind: mixture
  sources:
    crops: {manifest: crops, pairs: aligned, weight: 0.7}
    people: {manifest: people, pseudo_fakes: {share: 0.5}, weight: 0.3}
"""


def test_one_source_of_a_mixture_can_be_changed(file, tmp_path):
    mixed = write(tmp_path, "mixed.yaml", f"base: {file.name}\n{MIXTURE}")
    data = load_experiment(mixed, ["data.sources.crops.weight=2", "data.sources.people.validates=false"]).data
    assert isinstance(data, Mixture)
    assert (data.sources["crops"].weight, data.sources["people"].validates) == (2, False)
    assert data.sources["crops"].val.splits == ("val",)


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ("data.sources.crops.wieght=2", r"data\.sources\.crops\.wieght is no key; did you mean weight\?"),
        ("data.sources.crops.weight=0", r"data\.sources\.crops\.weight: must be greater than 0"),
        ("data.sources.crops.pairs=some", r"data\.sources\.crops\.pairs: must be 'none' or 'aligned'"),
        ("data.sources.crops.balanced_sampling=true", "pairs aligned shows a fake .* leave out balanced_s"),
        ("data.sources.people.pairs=aligned", "pairs aligned shows a fake .* leave out pseudo_fakes"),
        ("data.sources={}", r"data\.sources: Dictionary should have at least 1 item"),
        ("data.sources={a: {manifest: x, validates: false}}", "no source validates: set validates of one"),
    ],
)
def test_wrong_mixture_is_answered(file, tmp_path, change, answer):
    mixed = write(tmp_path, "mixed.yaml", f"base: {file.name}\n{MIXTURE}")
    with pytest.raises(ConfigError, match=answer):
        load_experiment(mixed, [change])
