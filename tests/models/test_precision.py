import pytest
import torch

from deepfake_ssat.models.precision import _cpu_has, bf16_products, full_precision, inference_dtype


@pytest.mark.parametrize(("bf16", "amx", "expected"), [(True, False, "bfloat16"), (False, False, "float32")])
def test_cpu_computes_in_bf16_only_where_it_has_instructions_for_it(monkeypatch, bf16, amx, expected):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bf16, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    assert inference_dtype("cpu") is getattr(torch, expected)


def test_other_devices_compute_in_fp32():
    assert inference_dtype("mps") is torch.float32


chooses = pytest.mark.skipif(
    not hasattr(torch.backends.mkldnn, "conv"), reason="this torch has one precision for a CPU's convolutions"
)


@chooses
def test_products_are_in_bf16_inside_alone_and_exact_where_results_are_compared():
    def chosen():
        return torch.get_float32_matmul_precision(), torch.backends.mkldnn.conv.fp32_precision

    before = chosen()
    with bf16_products():
        assert chosen() == ("medium", "bf16")
        with full_precision():
            assert chosen() == ("highest", "ieee")
        assert chosen() == ("medium", "bf16")
    assert chosen() == before


@chooses
@pytest.mark.skipif(inference_dtype("cpu") is not torch.bfloat16, reason="this CPU has no bf16 arithmetic")
def test_convolution_and_matrix_products_round_to_bf16_and_stay_fp32():
    generator = torch.Generator().manual_seed(0)
    pictures, kernels = (torch.randn(4, 64, 32, 32, generator=generator) for _ in range(2))
    kernels = kernels[..., :3, :3]
    rows, columns = (torch.randn(256, 256, generator=generator) for _ in range(2))

    def products():
        return torch.nn.functional.conv2d(pictures, kernels), rows @ columns

    exact = products()
    with bf16_products():
        rounded = products()
        with full_precision():
            again = products()
    for value, near, same in zip(exact, rounded, again, strict=True):
        assert near.dtype == torch.float32
        error = (near - value).abs().max() / value.abs().max()
        assert error < 2e-2
        # oneDNN need not take bf16 for fp32 values where the CPU has no tiles for it.
        assert error > 1e-5 or not _cpu_has("amx_tile")
        assert torch.equal(value, same)
