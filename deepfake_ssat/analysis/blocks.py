"""One pass over samples that looks into every block: its attention, and the tokens it gives.

B batch, h heads, N tokens of the grid, C tokens before them, D width; S samples, L blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from deepfake_ssat.analysis.attention import attention_distances, attention_received, cell_distances
from deepfake_ssat.analysis.features import feature_variances, token_distances
from deepfake_ssat.analysis.samples import Samples
from deepfake_ssat.models.blocks import Block, TokenBlocks
from deepfake_ssat.models.network import Network
from deepfake_ssat.models.precision import full_precision
from deepfake_ssat.progress import Advance


@dataclass(frozen=True)
class BlockMeasures:
    """Of every block, over all samples."""

    grid: tuple[int, int, int]
    """Tokens over time, height and width."""
    received: np.ndarray
    """(L, C + N): attention that each token receives, the mean over samples; 1 if all receive the same."""
    pixels: np.ndarray
    """(S, L, h): how far each head looks, in pixels of the network's pictures."""
    frames: np.ndarray
    """(S, L, h): how far in time; 0 for single pictures."""
    uniform: tuple[float, float]
    """Pixels and frames that a head looks which attends to all tokens equally."""
    token_distance: np.ndarray
    """(S, L)"""
    feature_variance: np.ndarray
    """(S, L)"""

    @property
    def num_samples(self) -> int:
        """S."""
        return len(self.token_distance)


def measure_blocks(
    network: Network,
    blocks: TokenBlocks,
    samples: Samples,
    batch: int,
    device: torch.device,
    advance: Advance,
) -> BlockMeasures:
    """Attention weights are formed for one block of one sample at a time, and only sums of them are kept."""
    num_tokens, depth = blocks.num_tokens, len(blocks.blocks)
    across, later = (distances.to(device) for distances in cell_distances(blocks))
    received: list[Tensor | float] = [0.0] * depth
    found: dict[str, list[list[Tensor]]] = {
        name: [[] for _ in range(depth)] for name in ("pixels", "frames", "distance", "variance")
    }

    def see_weights(number: int, weights: Tensor) -> None:
        received[number] += attention_received(weights)[0].double()
        found["pixels"][number].append(attention_distances(weights, across))
        found["frames"][number].append(attention_distances(weights, later))

    def see_tokens(number: int, tokens: Tensor) -> None:
        tokens = tokens[:, -num_tokens:]
        found["distance"][number].append(token_distances(tokens))
        found["variance"][number].append(feature_variances(tokens))

    with full_precision(), torch.inference_mode():
        for clips, _ in samples.batches(batch, device):
            with watched_tokens(blocks.blocks, see_tokens), watched_weights(blocks.blocks, see_weights):
                network.classify(clips)
            advance(len(clips))
    # (L, S, ...) -> (S, L, ...)
    arrays = {
        name: np.stack([torch.cat(parts).cpu().numpy() for parts in per_block], axis=1)
        for name, per_block in found.items()
    }
    return BlockMeasures(
        grid=blocks.grid,
        received=np.stack([torch.as_tensor(total).cpu().numpy() for total in received]) / len(samples),
        pixels=arrays["pixels"],
        frames=arrays["frames"],
        uniform=(float(across.mean()), float(later.mean())),
        token_distance=arrays["distance"],
        feature_variance=arrays["variance"],
    )


@contextmanager
def watched_weights(blocks: Sequence[Block], see: Callable[[int, Tensor], None]) -> Iterator[None]:
    """Inside, ``see`` gets each block's number and weights (1, h, C + N, C + N), sample by sample."""

    def hook(number: int, block: Block) -> Callable[..., None]:
        def before(_: torch.nn.Module, given: tuple[Tensor]) -> None:
            for tokens in given[0].split(1):
                see(number, block.attention.weights(tokens))

        return before

    handles = [
        block.attention.register_forward_pre_hook(hook(number, block)) for number, block in enumerate(blocks)
    ]
    with _removed(handles):
        yield


@contextmanager
def watched_tokens(blocks: Sequence[Block], see: Callable[[int, Tensor], None]) -> Iterator[None]:
    """Inside, ``see`` gets each block's number and what it gives (B, C + N, D)."""

    def hook(number: int) -> Callable[..., None]:
        return lambda _module, _given, tokens: see(number, tokens)

    with _removed([block.register_forward_hook(hook(number)) for number, block in enumerate(blocks)]):
        yield


@contextmanager
def _removed(handles: Sequence[torch.utils.hooks.RemovableHandle]) -> Iterator[None]:
    """Hooks that are gone afterwards, whatever happened."""
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
