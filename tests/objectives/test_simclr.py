"""NT-Xent against the paper's equation 1 written out pair by pair."""

import math

import pytest
import torch
from torch.nn import functional as F

from deepfake_ssat.config import SimclrSettings
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.objectives.simclr import Simclr, nt_xent
from tests.models.tiny import IMAGE


def made_views(clips: int = 6, width: int = 8):
    return torch.randn(2, clips, width, generator=torch.Generator().manual_seed(0))


def test_loss_is_equation_1_over_all_pairs():
    temperature, views = 0.5, made_views()
    vectors = [view.tolist() for view in views.flatten(0, 1)]
    count = len(vectors) // 2

    def similarity(left, right):
        dot = sum(a * b for a, b in zip(left, right, strict=True))
        return dot / math.hypot(*left) / math.hypot(*right)

    losses = []
    for i, vector in enumerate(vectors):
        partner = (i + count) % (2 * count)
        others = [math.exp(similarity(vector, vectors[k]) / temperature) for k in range(2 * count) if k != i]
        losses.append(-math.log(math.exp(similarity(vector, vectors[partner]) / temperature) / sum(others)))
    loss = nt_xent(*F.normalize(views, dim=2), temperature)
    assert float(loss) == pytest.approx(sum(losses) / len(losses), abs=1e-5)


def test_head_reads_the_features_of_both_views():
    torch.manual_seed(0)
    model, task = MaskedAutoencoder(IMAGE), Simclr(48, SimclrSettings(temperature=0.3, projection_width=5))
    views = torch.randn(2, 3, 3, 1, 32, 32)
    with torch.no_grad():
        expected = nt_xent(
            *(F.normalize(task.head(model.features(view)), dim=1) for view in views), temperature=0.3
        )
        torch.testing.assert_close(task(model, views, 0.0), expected)
    weights = [layer.weight.shape for layer in task.head if hasattr(layer, "weight")]
    assert weights == [(48, 48), (5, 48)]
