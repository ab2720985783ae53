import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from deepfake_ssat.config.extraction import ExtractionSettings
from deepfake_ssat.errors import CheckpointError, ContractError, OutputError
from deepfake_ssat.models import checkpoint as checkpoint_module
from deepfake_ssat.models.checkpoint import (
    HEADER_KEY,
    Checkpoint,
    Decision,
    file_hash,
    is_of_pictures,
    load_checkpoint,
    save_checkpoint,
)
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.models.self_test import noise_pixels
from deepfake_ssat.records import Verdict
from tests.models.tiny import IMAGE, VIDEO, changed


@pytest.fixture
def saved(tmp_path):
    """A checkpoint as saved, and its file."""
    torch.manual_seed(0)
    checkpoint = Checkpoint(
        MaskedAutoencoder(VIDEO).train(),
        VIDEO,
        ExtractionSettings(frames=4, crop_size=32),
        Decision(0.6, 0.5, 0.7, temperature=1.5),
        metrics={"val_video_auc": 0.75},
        provenance={"command": "train"},
    )
    path = tmp_path / "run" / "best.safetensors"
    digest = save_checkpoint(path, checkpoint)
    assert digest == file_hash(path)
    return checkpoint, path


def rewrite(path, *, header: dict | None = None, change=None):
    """The file again with changed header fields or weights, its self-test values as they were; no checksums,
    as earlier versions wrote."""
    with safe_open(path, framework="pt") as file:
        stored = json.loads(file.metadata()[HEADER_KEY])
    for name in ("checksums", "header_crc32"):
        stored.pop(name, None)
    weights = load_file(path)
    if change:
        change(weights)
    save_file(weights, path, {HEADER_KEY: json.dumps(stored | (header or {}))})


def refusal(path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_everything_comes_back(saved):
    checkpoint, path = saved
    loaded = load_checkpoint(path)
    clips = torch.randn(2, 3, 4, 32, 32)
    assert not loaded.model.training
    assert torch.equal(loaded.model.classify(clips), checkpoint.model.eval().classify(clips))
    for name in ("settings", "contract", "decision", "kind", "metrics", "provenance"):
        assert getattr(loaded, name) == getattr(checkpoint, name)
    assert loaded.hash == file_hash(path)


def test_saving_leaves_the_model_as_it_was(saved):
    checkpoint, _ = saved
    assert checkpoint.model.training
    assert all(value.requires_grad for value in checkpoint.model.parameters())


def test_loaded_weights_can_be_trained_on(saved):
    model = load_checkpoint(saved[1]).model.train()
    model.classify(torch.randn(1, 3, 4, 32, 32)).sum().backward()
    assert model.head.weight.grad is not None


def test_self_test_is_exact_whatever_precision_is_set(saved):
    torch.set_float32_matmul_precision("medium")
    try:
        load_checkpoint(saved[1])
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_decoder_can_stay_on_disk_and_its_absence_is_saved(saved, tmp_path):
    path = tmp_path / "classifier.safetensors"
    light = load_checkpoint(saved[1], decoder=False)
    assert light.model.decoder is None
    save_checkpoint(path, light)
    assert path.stat().st_size < saved[1].stat().st_size
    assert load_checkpoint(path).model.decoder is None


def test_half_precision_is_half_the_file_and_the_rounded_weights(saved, tmp_path):
    checkpoint, path = saved
    half = tmp_path / "half.safetensors"
    save_checkpoint(half, checkpoint, half=True)
    assert {value.dtype for value in load_file(half).values()} == {torch.float16}
    weights = sum(value.nbytes for value in load_file(path).values())
    assert sum(value.nbytes for value in load_file(half).values()) == weights / 2
    loaded = load_checkpoint(half).model.state_dict()
    for name, value in checkpoint.model.state_dict().items():
        assert torch.equal(loaded[name], value.to("cpu").half().float())
        assert loaded[name].dtype == torch.float32


def test_half_precision_refuses_a_weight_beyond_its_range(saved, tmp_path):
    checkpoint, _ = saved
    with torch.no_grad():
        next(checkpoint.model.parameters()).view(-1)[0] = 1e5
    with pytest.raises(CheckpointError, match="is not finite"):
        save_checkpoint(tmp_path / "half.safetensors", checkpoint, half=True)


def test_failed_save_leaves_the_old_file_and_no_other(saved, monkeypatch):
    checkpoint, path = saved
    before = path.read_bytes()

    def fail(state, name, metadata):
        Path(name).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(checkpoint_module, "save_file", fail)
    with pytest.raises(OutputError, match="disk full"):
        save_checkpoint(path, checkpoint)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_changed_weight_fails_the_self_test(saved):
    def change(weights):
        weights["head.weight"] += torch.randn_like(weights["head.weight"])

    rewrite(saved[1], change=change)
    assert "self-test failed" in refusal(saved[1])


@pytest.mark.parametrize("setting", ["mean", "positions", "qkv_order"])
def test_software_that_computes_something_else_fails_the_self_test(saved, monkeypatch, setting):
    if setting == "mean":
        rewrite(saved[1], header={"settings": changed(VIDEO, mean=(0.9,)).model_dump(mode="json")})
    elif setting == "positions":
        rewrite(saved[1], header={"settings": changed(VIDEO, positions="sincos_3d").model_dump(mode="json")})
    else:
        original = MaskedAutoencoder._logits
        monkeypatch.setattr(MaskedAutoencoder, "_logits", lambda self, tokens: original(self, tokens.cos()))
    assert "self-test failed" in refusal(saved[1])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_neither_saved_nor_loaded(saved, tmp_path, value):
    checkpoint, path = saved

    def change(weights):
        weights["encoder.blocks.1.mlp.fc1.weight"][3, 4] = value

    rewrite(path, change=change)
    assert "encoder.blocks.1.mlp.fc1.weight is not finite" in refusal(path)
    with torch.no_grad():
        checkpoint.model.head.bias[0] = value
    with pytest.raises(CheckpointError, match="not finite"):
        save_checkpoint(tmp_path / "diverged.safetensors", checkpoint)
    assert not (tmp_path / "diverged.safetensors").exists()


def test_weights_of_another_shape_or_number_are_refused(saved):
    rewrite(saved[1], header={"settings": changed(VIDEO, patch=4).model_dump(mode="json")})
    assert "do not fit its settings" in refusal(saved[1])
    rewrite(saved[1], header={"settings": VIDEO.model_dump(mode="json")}, change=lambda w: w.pop("head.bias"))
    assert "head.bias is None" in refusal(saved[1])


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"format_version": 2}, "format version 2"),
        ({"kind": "efficientnet"}, "kind 'efficientnet'"),
        ({"settings": {"width": 3}}, "cannot be understood"),
        ({"decision": {"limit": 1}}, "cannot be understood"),
        ({"self_test": {}}, "cannot be understood"),
    ],
)
def test_headers_of_another_kind_are_refused(saved, header, reason):
    rewrite(saved[1], header=header)
    assert reason in refusal(saved[1])


@pytest.mark.parametrize("text", ["[]", "1", "null", "[" * 100_000])
def test_header_that_is_no_header_is_refused(tmp_path, text):
    file = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(1)}, file, {HEADER_KEY: text})
    assert "is no checkpoint" in refusal(file)
    assert not is_of_pictures(file)


def test_contract_of_a_later_version_is_refused(saved):
    contract = saved[0].contract.model_dump(mode="json") | {"version": 2}
    rewrite(saved[1], header={"contract": contract})
    with pytest.raises(ContractError, match="cannot be honoured"):
        load_checkpoint(saved[1])


class Exploding:
    """Pickled, it runs code when it is read."""

    def __reduce__(self):
        return exec, ("raise SystemExit('code ran')",)


@pytest.mark.parametrize("kind", ["text", "empty", "pickle", "truncated", "folder", "foreign", "absent"])
def test_files_of_another_kind_are_refused_in_one_line(saved, tmp_path, kind):
    path = tmp_path / f"{kind}.safetensors"
    if kind == "text":
        path.write_text("not a model\n" * 100)
    elif kind == "empty":
        path.touch()
    elif kind == "pickle":
        torch.save({"model": Exploding()}, path)
    elif kind == "truncated":
        path.write_bytes(saved[1].read_bytes()[:-1000])
    elif kind == "folder":
        path.mkdir()
    elif kind == "foreign":
        save_file({"weight": torch.zeros(2)}, path)
    refusal(path)


def test_image_model_is_no_detector_of_faces_in_videos(tmp_path):
    path = tmp_path / "image.safetensors"
    settings = changed(IMAGE, num_classes=10)
    save_checkpoint(path, Checkpoint(MaskedAutoencoder(settings), settings))
    with pytest.raises(CheckpointError, match=r"image\.safetensors: was trained on images \(10 classes\)"):
        load_checkpoint(path).require_contract()


def test_clip_model_tells_its_contract(saved):
    assert load_checkpoint(saved[1]).require_contract().crop_size == 32


def test_decision_has_an_uncertain_band():
    decision = Decision(threshold=0.5, uncertain_low=0.4, uncertain_high=0.6)
    verdicts = [decision.verdict(probability) for probability in (0.39, 0.4, 0.59, 0.6)]
    assert verdicts == [Verdict.REAL, Verdict.UNCERTAIN, Verdict.UNCERTAIN, Verdict.FAKE]
    firm = Decision(0.3, 0.3, 0.3)
    assert [firm.verdict(probability) for probability in (0.29, 0.3)] == [Verdict.REAL, Verdict.FAKE]


@pytest.mark.parametrize("values", [(0.5, 0.6, 0.7), (0.5, 0.4, 0.45), (0.5, 0.4, 0.6, 0.0), (1.2, 0.4, 1.3)])
def test_decision_out_of_order_is_refused(values):
    with pytest.raises(CheckpointError, match="needs 0 <= uncertain_low"):
        Decision(*values)


def test_self_test_noise_is_spread_and_depends_on_the_seed_alone():
    noise = noise_pixels(1, (2, 50, 100))
    assert noise.dtype == np.uint8
    assert abs(float(noise.mean()) - 127.5) < 3
    assert len(np.unique(noise)) == 256
    assert np.array_equal(noise, noise_pixels(1, (2, 50, 100)))
    assert not np.array_equal(noise, noise_pixels(2, (2, 50, 100)))


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"encoder": {"width": 32, "depth": 10**6, "heads": 2}}, "encoder.depth 1000000, more than"),
        ({"image_size": 10**6, "patch": 10**5}, r"a clip of 4 × 1000000² × 3 values"),
        ({"encoder": {"width": 10**8, "depth": 2, "heads": 2}}, r"a table of positions of 32 × 100000000"),
        ({"encoder": {"width": 32, "depth": 2, "heads": 2, "mlp_ratio": 1e300}}, "encoder.mlp_ratio 1e+300"),
        ({"position_grid": [10**4, 10**4, 10**4]}, r"a table of positions of 1000000000000 × "),
    ],
)
def test_header_that_asks_for_more_than_a_machine_has_is_refused(saved, wanted, reason):
    path = saved[1]
    rewrite(path, header={"settings": VIDEO.model_dump(mode="json") | wanted})
    assert reason in refusal(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "stored",
    [
        {"seed": -1},
        {"seed": [1]},
        {"probabilities": None},
        {"probabilities": [0.5]},
        {"probabilities": ["x"]},
    ],
)
def test_self_test_that_is_none_is_refused(saved, stored):
    path = saved[1]
    rewrite(path, header={"self_test": {"seed": 1, "probabilities": [0.5, 0.5]} | stored})
    assert "its header cannot be understood" in refusal(path)


@pytest.mark.slow
def test_every_flipped_bit_is_noticed(saved):
    path = saved[1]
    data = path.read_bytes()
    generator = np.random.default_rng(0)
    size = 8 + int.from_bytes(data[:8], "little")
    places = [*generator.integers(size, len(data), 10), *generator.integers(8, size, 10), *range(8)]
    for place in places:
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        refusal(path)
    path.write_bytes(data)
    load_checkpoint(path)


def test_tensor_that_claims_terabytes_is_refused(saved):
    path = saved[1]
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    name = next(name for name in header if name != "__metadata__")
    header[name] = {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])
    assert "is no checkpoint, or is cut off" in refusal(path)
    path.write_bytes((2**60).to_bytes(8, "little") + data[8:])
    assert "is no checkpoint, or is cut off" in refusal(path)
