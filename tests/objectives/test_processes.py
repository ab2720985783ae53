"""What tasks share over the processes of one training: negatives, and the teacher's centre."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from deepfake_ssat.objectives.simclr import nt_xent

TWO_PROCESSES = """
import sys, torch
from torch.nn import functional as F
from deepfake_ssat.config import DinoSettings
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.objectives.dino import Dino
from deepfake_ssat.objectives.simclr import nt_xent
from tests.models.tiny import IMAGE

torch.distributed.init_process_group("gloo")
rank = torch.distributed.get_rank()
views = torch.load(sys.argv[1], weights_only=True)[:, 3 * rank : 3 * rank + 3].requires_grad_(True)
loss = nt_xent(*F.normalize(views, dim=2), 0.5, gather=True)
loss.backward()
torch.manual_seed(0)
model = MaskedAutoencoder(IMAGE)
dino = Dino(model, DinoSettings(hidden_width=16, bottleneck_width=8, prototypes=12))
clips = torch.randn(2, 4, 3, 1, 32, 32)
dino(model, clips[:, 2 * rank : 2 * rank + 2], 0.0)
own = dino.center.clone()
dino.center.zero_()
torch.distributed.destroy_process_group()
dino(model, clips, 0.0)
torch.save((loss.detach(), views.grad, own, dino.center), f"{sys.argv[2]}/rank{rank}.pt")
"""


@pytest.mark.slow
def test_two_processes_have_the_negatives_and_the_centre_of_one_batch(tmp_path):
    views = torch.randn(2, 6, 8).requires_grad_(True)
    whole = nt_xent(*F.normalize(views, dim=2), 0.5)
    whole.backward()
    torch.save(views.detach(), tmp_path / "views.pt")
    (tmp_path / "two.py").write_text(TWO_PROCESSES)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    root = str(Path(__file__).parents[2])
    command = [*torchrun, str(tmp_path / "two.py"), str(tmp_path / "views.pt"), str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"PYTHONPATH": root})
    parts = [torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)]
    # DDP takes the mean of the processes' gradients.
    losses, gradients, centers, of_one_batch = zip(*parts, strict=True)
    torch.testing.assert_close(torch.stack(losses).mean(), whole.detach())
    torch.testing.assert_close(torch.cat(gradients, dim=1) / 2, views.grad)
    assert torch.equal(*centers)
    torch.testing.assert_close(centers[0], of_one_batch[0])
