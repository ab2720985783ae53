import pytest
import torch

from deepfake_ssat.training import hardware
from deepfake_ssat.training.hardware import (
    Processes,
    choose_precision,
    multiplies_in_bf16,
    torchrun_processes,
)


def test_one_process_without_torchrun(monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert torchrun_processes() == Processes(rank=0, count=1, local_count=1)


def test_processes_and_machines_come_from_torchrun(monkeypatch):
    variables = {"TORCHELASTIC_RUN_ID": "x", "RANK": "5", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    processes = torchrun_processes()
    assert (processes.rank, processes.count, processes.nodes) == (5, 8, 2)


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
