import pytest
import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet

from deepfake_ssat.faces.networks import load_networks


@pytest.mark.parametrize(
    ("number", "reference", "size"), [(0, PNet, (37, 52)), (1, RNet, (24, 24)), (2, ONet, (48, 48))]
)
def test_networks_compute_what_facenet_pytorchs_do(number, reference, size):
    pictures = torch.rand(3, 3, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        ours = load_networks(torch.device("cpu"))[number](pictures)
        theirs = reference()(pictures)
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their)
