import pytest
import torch

from deepfake_ssat.models.precision import inference_dtype


@pytest.mark.parametrize(("bf16", "amx", "expected"), [(True, False, "bfloat16"), (False, False, "float32")])
def test_cpu_computes_in_bf16_only_where_it_has_instructions_for_it(monkeypatch, bf16, amx, expected):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bf16, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    assert inference_dtype("cpu") is getattr(torch, expected)


def test_other_devices_compute_in_fp32():
    assert inference_dtype("mps") is torch.float32
