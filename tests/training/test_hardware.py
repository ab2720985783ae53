import pytest
import torch

from deepfake_ssat.errors import ConfigError
from deepfake_ssat.training import hardware
from deepfake_ssat.training.hardware import choose_precision, multiplies_in_bf16, training_device


def test_processes_that_would_share_a_gpu_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert training_device(1) == "cuda"
    with pytest.raises(ConfigError, match=r"4 processes .* each sees 1 GPU.*--gpus-per-node instead"):
        training_device(4)


def test_fp32_is_never_changed():
    assert choose_precision("fp32", "cpu") == ("32-true", None)


def test_bf16_is_kept_where_the_device_has_it(monkeypatch):
    monkeypatch.setattr(hardware, "inference_dtype", lambda device: torch.bfloat16)
    assert choose_precision("bf16", "cpu") == ("bf16-mixed", None)


def test_products_alone_are_in_bf16_on_a_cpu_and_autocast_serves_a_gpu(monkeypatch):
    monkeypatch.setattr(hardware, "inference_dtype", lambda device: torch.bfloat16)
    assert choose_precision("bf16_products", "cpu") == ("32-true", None)
    assert choose_precision("bf16_products", "cuda") == ("bf16-mixed", None)
    assert multiplies_in_bf16("bf16_products", "cpu")
    assert not multiplies_in_bf16("bf16_products", "cuda")
    assert not multiplies_in_bf16("bf16", "cpu")


@pytest.mark.parametrize("wanted", ["bf16", "bf16_products"])
def test_emulated_bf16_becomes_fp32_with_a_warning(wanted, monkeypatch):
    monkeypatch.setattr(hardware, "inference_dtype", lambda device: torch.float32)
    precision, warning = choose_precision(wanted, "cpu")
    assert not multiplies_in_bf16(wanted, "cpu")
    assert precision == "32-true"
    assert warning is not None
    assert "fp32 instead" in warning
