"""The paper's Table 8: video accuracy at 0.5 on the manipulation that training held out, in percent.

Das et al., "Limited Data, Unlimited Potential: A Study on ViTs Augmented by Masked Autoencoders" (WACV 2024).
"""

from __future__ import annotations

from dataclasses import dataclass

SOURCE = "Das et al., WACV 2024, Table 8"
MANIPULATIONS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")


@dataclass(frozen=True)
class PaperRow:
    """One method: its name in the paper, and its accuracies in the order of ``MANIPULATIONS``."""

    name: str
    accuracies: tuple[float, float, float, float]

    def accuracy(self, manipulation: str) -> float:
        """In percent; raises ValueError for a manipulation that is not in the table."""
        return self.accuracies[MANIPULATIONS.index(manipulation)]


TABLE_8: dict[str, PaperRow] = {
    "video_ffpp_scratch": PaperRow("VideoMAE from scratch", (84.48, 79.21, 56.63, 82.08)),
    "video_ffpp_finetune_095": PaperRow("VideoMAE SSL, fine-tuned, mask 0.95", (82.67, 64.16, 58.42, 63.44)),
    "video_ffpp_finetune_075": PaperRow("VideoMAE SSL, fine-tuned, mask 0.75", (78.34, 65.59, 57.35, 61.65)),
    "video_ffpp_ssat_095": PaperRow("VideoMAE + SSAT, mask 0.95", (92.42, 79.21, 89.61, 81.36)),
    "video_ffpp_ssat_075": PaperRow("VideoMAE + SSAT, mask 0.75", (96.75, 80.65, 91.40, 72.76)),
    "video_ffpp_cross_efficient_vit": PaperRow("Cross-Efficient-ViT", (82.67, 69.89, 79.93, 64.87)),
    "video_ffpp_efficientnet_b7": PaperRow("DFDC winner (EfficientNet-B7)", (96.43, 73.93, 86.07, 58.57)),
}
"""By the name of the configuration. All but the first are trained on DFDC before FaceForensics++."""
