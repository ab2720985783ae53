"""Ratios of the model's speed: joint to plain training step, Hugging Face to ours, and the attention paths.

    python tools/benchmarks/model.py                          # ViT-S on 16 x 112 x 112 clips, a minute
    python tools/benchmarks/model.py --size 224 --batch 1 --repeats 9

Every comparison is made in one run with the candidates taking turns, and medians are printed: absolute times
change from machine to machine and from minute to minute, ratios less so.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from figures import Figure, markdown
from torch import Tensor, nn

from deepfake_ssat.config.model import ModelSettings
from deepfake_ssat.config.training import ObjectiveSettings
from deepfake_ssat.models.attention import attend_by_head, attend_by_products, attend_fused
from deepfake_ssat.models.masked_autoencoder import MaskedAutoencoder
from deepfake_ssat.models.patches import tube_mask
from deepfake_ssat.models.precision import inference_dtype
from deepfake_ssat.objectives import OBJECTIVES
from deepfake_ssat.training.compilation import compile_blocks

MASK_RATIOS = (0.75, 0.9, 0.95)


def main() -> None:
    """Parses the options and prints the three tables."""
    parser = argparse.ArgumentParser(description="Ratios of the model's speed.")
    parser.add_argument("--preset", choices=["tiny", "small", "base", "large"], default="small")
    parser.add_argument("--size", type=int, default=112, help="side of the clips, in pixels")
    parser.add_argument("--batch", type=int, default=4, help="clips of a step")
    parser.add_argument("--repeats", type=int, default=3, help="turns that each candidate takes")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    settings = ModelSettings.model_validate(
        {"image_size": options.size, "encoder": {"preset": options.preset}, "decoder": {}}
    )
    print(
        f"ViT-{options.preset}, {settings.num_tokens} tokens, {options.device}, medians of {options.repeats}"
    )
    figures = compare_training_steps(settings, options.device, options.batch, options.repeats)
    figures += compare_forward_to_products(settings, options.device, options.repeats)
    compare_attention(settings, options.device, options.repeats)
    print(f"\n{markdown(figures)}")


def medians(candidates: Mapping[str, Callable[[], object]], repeats: int, device: str) -> dict[str, float]:
    """Median milliseconds of each candidate; they take turns, after one turn that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(repeats + 1):
        for name, candidate in candidates.items():
            start = time.perf_counter()
            candidate()
            if device.startswith("cuda"):
                torch.cuda.synchronize()
            if turn:
                times[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in times.items()}


def compare_training_steps(settings: ModelSettings, device: str, batch: int, repeats: int) -> list[Figure]:
    """Forward and backward: classification alone, joint, compiled, and Hugging Face's two models."""
    torch.manual_seed(0)
    model = MaskedAutoencoder(settings).to(device)
    side = settings.image_size
    clips = torch.randn(batch, settings.channels, settings.frames, side, side, device=device)
    labels = torch.arange(batch, device=device) % 2

    compiled = copy.deepcopy(model)
    compile_blocks(compiled)

    def step(name: str, ratio: float, model: MaskedAutoencoder = model) -> Callable[[], None]:
        objective = ObjectiveSettings.model_validate({"name": name, "mask_ratio": ratio})

        def run() -> None:
            model.zero_grad()
            with torch.autocast(clips.device.type, torch.bfloat16):
                losses = OBJECTIVES[name](model, clips, labels, objective, None, None)
            losses.total.backward()

        return run

    candidates = {"classification alone": step("scratch", 0.75)}
    candidates |= {f"joint, mask {ratio}": step("ssat", ratio) for ratio in MASK_RATIOS}
    candidates["compiled, joint, mask 0.75"] = step("ssat", 0.75, compiled)
    candidates["ssat_visible, mask 0.9"] = step("ssat_visible", 0.9)
    candidates["Hugging Face, two models, mask 0.9"] = hugging_face_step(settings, clips, labels, 0.9)
    times = medians(candidates, repeats, device)
    print("\ntraining step, bf16 autocast                ms   x classification alone")
    for name, value in times.items():
        print(f"  {name:36s}{value:8.1f}{value / times['classification alone']:10.2f}")
    alone, joint = times["classification alone"], times["joint, mask 0.95"]
    theirs = times["Hugging Face, two models, mask 0.9"] / times["joint, mask 0.9"]
    uncompiled = times["joint, mask 0.75"] / times["compiled, joint, mask 0.75"]
    return [
        Figure("joint training step, mask 0.95", joint / alone, "× classification alone", 1.15),
        Figure("joint training step as it is, mask 0.75", uncompiled, "× compiled"),
        Figure("Hugging Face's VideoMAE, two models, mask 0.9", theirs, "× ours"),
    ]


def hugging_face_step(
    settings: ModelSettings, clips: Tensor, labels: Tensor, ratio: float
) -> Callable[[], None]:
    """The same joint step with transformers: one model that classifies and one that reconstructs."""
    from transformers import VideoMAEConfig, VideoMAEForPreTraining, VideoMAEForVideoClassification

    config = VideoMAEConfig(
        image_size=settings.image_size,
        hidden_size=settings.encoder.width,
        num_hidden_layers=settings.encoder.depth,
        num_attention_heads=settings.encoder.heads,
        intermediate_size=4 * settings.encoder.width,
        decoder_hidden_size=settings.decoder.width,
        decoder_num_hidden_layers=settings.decoder.depth,
        decoder_num_attention_heads=settings.decoder.heads,
        decoder_intermediate_size=4 * settings.decoder.width,
    )
    classifier, autoencoder = VideoMAEForVideoClassification(config), VideoMAEForPreTraining(config)
    nn.ModuleList([classifier, autoencoder]).to(clips.device)
    pixels = clips.transpose(1, 2)

    def run() -> None:
        classifier.zero_grad()
        autoencoder.zero_grad()
        mask = tube_mask(len(clips), settings.grid, ratio, None, clips.device)
        with torch.autocast(clips.device.type, torch.bfloat16):
            logits = classifier(pixels).logits
            reconstruction = autoencoder(pixels, mask).loss
        classification = torch.nn.functional.cross_entropy(logits.float(), labels)
        (0.1 * classification + 0.9 * reconstruction).backward()

    return run


def compare_forward_to_products(settings: ModelSettings, device: str, repeats: int) -> list[Figure]:
    """Classification of one clip, as a share of what one large matrix product reaches in the same type."""
    dtype = inference_dtype(device)
    model = MaskedAutoencoder(settings).to(device, dtype).eval()
    side = settings.image_size
    clips = torch.randn(1, settings.channels, settings.frames, side, side, device=device, dtype=dtype)
    matrix = torch.randn(2048, 2048, device=device, dtype=dtype)
    with torch.inference_mode():
        times = medians(
            {"classify": lambda: model.classify(clips), "product": lambda: matrix @ matrix}, repeats, device
        )
    width, depth, tokens = settings.encoder.width, settings.encoder.depth, settings.num_tokens
    mlp = 2 * settings.encoder.mlp_ratio * width**2
    operations = (
        2 * tokens * (depth * (4 * width**2 + mlp + 2 * tokens * width) + settings.patch_values * width)
    )
    rate, peak = operations / times["classify"] / 1e6, 2 * 2048**3 / times["product"] / 1e6
    print(f"\nclassify one clip, {dtype}: {times['classify']:.1f} ms, {operations / 1e9:.0f} GFLOP")
    print(f"  {rate:.0f} of {peak:.0f} GFLOP/s of a plain product")
    name = f"classifying a clip, {str(dtype).removeprefix('torch.')}"
    return [Figure(name, 100 * rate / peak, "% of the machine's product peak", 65.0, more_is_better=True)]


def compare_attention(settings: ModelSettings, device: str, repeats: int) -> None:
    """One layer's attention by each path, forward and with backward, at the lengths that training meets."""
    paths = {"fused": attend_fused, "products": attend_by_products, "by head": attend_by_head}
    heads, width = settings.encoder.heads, settings.encoder.width
    print("\nattention, ms (with backward)     " + "".join(f"{name:>18s}" for name in paths))
    lengths = sorted({settings.num_tokens // 10, settings.num_tokens // 4, settings.num_tokens, 1568})
    for dtype in (torch.bfloat16, torch.float32):
        for length in lengths:
            shape = (3, 1, heads, length, width // heads)
            parts = torch.randn(shape, device=device, dtype=dtype).unbind()
            forward = {name: partial(path, *parts) for name, path in paths.items()}
            both = {name: partial(_forward_and_backward, path, parts) for name, path in paths.items()}
            with torch.no_grad():
                forward_times = medians(forward, repeats, device)
            times = medians(both, repeats, device)
            cells = "".join(f"{forward_times[name]:9.2f} ({times[name]:6.2f})" for name in paths)
            print(f"  {str(dtype).removeprefix('torch.'):9s}{length:6d} tokens          {cells}")


def _forward_and_backward(path: Callable[..., Tensor], parts: Sequence[Tensor]) -> None:
    path(*[part.detach().requires_grad_() for part in parts]).sum().backward()


if __name__ == "__main__":
    main()
