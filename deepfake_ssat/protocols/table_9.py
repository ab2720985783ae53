"""The sizes of the paper's picture sets (table 9), and where those on this machine have others."""

from __future__ import annotations

from deepfake_ssat.clips.images import read_pictures
from deepfake_ssat.config import DomainNet, PictureSource

TABLE_9 = {
    "CIFAR-10": (50_000, 10_000),
    "CIFAR-100": (50_000, 10_000),
    "Flowers102": (2_040, 6_149),
    "SVHN": (73_257, 26_032),
    "ImageNet-1K": (1_281_167, 100_000),
    "ClipArt": (33_525, 14_604),
    "Infograph": (36_023, 15_582),
    "Sketch": (50_416, 21_850),
    "Chaoyang": (4_021, 2_139),
    "PMNIST": (5_232, 624),
}
"""Pictures to train on, those that validate included, and to test on."""
IMAGENET_TESTED = 50_000
"""The labels of ImageNet's 100,000 test pictures are not public: val/ is measured in their place."""
_NAMES = {"svhn": "SVHN", "flowers102": "Flowers102", "chaoyang": "Chaoyang"}
_DOMAINS = {"clipart": "ClipArt", "infograph": "Infograph", "sketch": "Sketch"}


def size_doubts(source: PictureSource, num_classes: int) -> list[str]:
    """A line where a set of the paper has other sizes here; none for a set that is not the paper's."""
    name = _name(source, num_classes)
    if name is None:
        return []
    whole = source.model_copy(update={"train_on_val": True, "fraction": 1.0})
    found = tuple(len(read_pictures(whole, split).labels) for split in ("train", "test"))
    train, test = TABLE_9[name]
    expected = (train, IMAGENET_TESTED if name == "ImageNet-1K" else test)
    if found == expected:
        return []
    return [
        f"{name}: {found[0]} training and {found[1]} test pictures here, {expected[0]} and {expected[1]} in "
        "table 9: this is not the paper's set"
    ]


def _name(source: PictureSource, num_classes: int) -> str | None:
    if isinstance(source, DomainNet):
        return _DOMAINS.get(source.domain)
    if source.kind == "cifar":
        return f"CIFAR-{num_classes}"
    if source.kind == "npz":
        return "PMNIST" if "pneumonia" in source.path.name else None
    if source.kind == "image_folder":
        return "ImageNet-1K" if num_classes == 1000 else None
    return _NAMES[source.kind]
