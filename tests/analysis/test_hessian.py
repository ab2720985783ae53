"""Hessian-vector products and eigenvalues against the exact Hessian of a small network."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from deepfake_ssat.analysis.hessian import LossHessian, classifying_parameters, require_room
from deepfake_ssat.analysis.lanczos import lanczos
from deepfake_ssat.config import DecoderSettings, EncoderSettings, ModelSettings
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from tests.models.tiny import VIDEO

SMALL = ModelSettings(
    frames=1,
    tubelet=1,
    image_size=4,
    patch=2,
    channels=1,
    mean=(0.5,),
    std=(0.5,),
    pooling="class_token",
    positions="sincos_2d",
    encoder=EncoderSettings(width=4, depth=1, heads=2, mlp_ratio=1.0),
    decoder=DecoderSettings(width=4, depth=1, heads=1),
)


@pytest.fixture(scope="module")
def problem():
    """A network, two parts of 3 and 2 pictures, and the exact Hessian of their mean cross-entropy."""
    torch.manual_seed(0)
    network = MaskedAutoencoder(SMALL).double().eval()
    for parameter in network.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    clips, labels = torch.randn(5, 1, 1, 4, 4, dtype=torch.float64), torch.tensor([0, 1, 1, 0, 1])
    unreached = network.unreached(classifies=True, reconstructs=False)
    named = {name: value for name, value in network.named_parameters() if not name.startswith(unreached)}
    sizes = [value.numel() for value in named.values()]

    def loss(flat):
        parts = {
            name: part.view_as(value)
            for (name, value), part in zip(named.items(), flat.split(sizes), strict=True)
        }
        return F.cross_entropy(torch.func.functional_call(network, parts, (clips,)), labels)

    flat = torch.cat([value.detach().flatten() for value in named.values()])
    with sdpa_kernel(SDPBackend.MATH):  # the fused kernel has no second derivative
        exact = torch.autograd.functional.hessian(loss, flat)
    return network, [(clips[:3], labels[:3]), (clips[3:], labels[3:])], exact


@pytest.mark.slow
def test_products_are_those_of_the_exact_hessian(problem):
    network, parts, exact = problem
    hessian = LossHessian(network, parts)
    for seed in range(3):
        vector = torch.randn(len(exact), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        torch.testing.assert_close(hessian(vector), exact @ vector)


@pytest.mark.slow
def test_eigenvalues_are_those_of_the_exact_hessian(problem):
    network, parts, exact = problem
    start = torch.randn(len(exact), generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    found = lanczos(LossHessian(network, parts), start, 60).largest(5)
    values = np.linalg.eigvalsh(exact.numpy())
    np.testing.assert_allclose(found.values, values[np.argsort(-np.abs(values))][:5], rtol=1e-5)


def test_the_decoder_is_no_part_of_it():
    network = MaskedAutoencoder(VIDEO)
    kept = {id(parameter) for parameter in classifying_parameters(network)}
    assert not kept & {id(parameter) for parameter in network.decoder.parameters()}
    assert not kept & {id(parameter) for parameter in network.encoder.norm.parameters()}
    assert {id(parameter) for parameter in network.head.parameters()} <= kept


def test_vectors_that_would_not_fit_are_refused_with_what_would():
    with pytest.raises(ConfigError, match=r"100 vectors of 86\.0 million .* 34\.4 GB.* --hessian-steps 12"):
        require_room(86_000_000, 100)
    require_room(86_000_000, 12)
