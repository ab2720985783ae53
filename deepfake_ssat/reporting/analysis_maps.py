"""Where networks look in chosen pictures and clips: a row for each, a column for each checkpoint.

As the paper draws them (figures 10 and 12). T frames, H W pixels, C channels; maps have (t, h, w) cells.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from matplotlib.axes import Axes

from deepfake_ssat.analysis.analyse import AnalysisReport
from deepfake_ssat.analysis.maps import SampleMaps
from deepfake_ssat.reporting import style
from deepfake_ssat.reporting.heat import heated

FRAMES_SHOWN = 2
"""Of a clip, one below the other."""
SMALLEST_SIDE = 112
"""Smaller pictures are enlarged, so that cells can be blended."""
PANEL = 1.7
"""Inches."""


def attention_maps_figure(report: AnalysisReport) -> bytes | None:
    """A PNG: what the last block attends to, each map from its own least to its own greatest (figure 12)."""

    def heat_of(sample: SampleMaps) -> np.ndarray | None:
        if sample.attention is None:
            return None
        least = sample.attention.min()
        return (sample.attention - least) / max(float(sample.attention.max() - least), 1e-12)

    return _figure(report, "Attention of the last block", heat_of)


def grad_cam_figure(report: AnalysisReport) -> bytes | None:
    """A PNG: evidence for each sample's own class, each map up to its own greatest (figure 10)."""

    def heat_of(sample: SampleMaps) -> np.ndarray | None:
        return None if sample.grad_cam is None else sample.grad_cam / max(float(sample.grad_cam.max()), 1e-12)

    return _figure(report, "Grad-CAM of each sample's own class", heat_of)


def _figure(
    report: AnalysisReport, title: str, heat_of: Callable[[SampleMaps], np.ndarray | None]
) -> bytes | None:
    """Pictures at the left, heat over them at the right; None where no network has such maps."""
    found = [
        network for network in report.networks if any(heat_of(sample) is not None for sample in network.maps)
    ]
    if not found:
        return None
    samples = found[0].maps
    per_sample = min(FRAMES_SHOWN, max(len(network.maps[0].pixels) for network in found))
    rows, columns = per_sample * len(samples), 1 + len(found)
    figure = style.new_figure(columns * PANEL + 0.6, rows * PANEL + 0.8, title)
    panels = figure.subplots(rows, columns, squeeze=False)
    for number, sample in enumerate(samples):
        for part in range(per_sample):
            line = panels[number * per_sample + part]
            _show(line[0], _frame(sample, part, per_sample)[0])
            if part == 0:
                line[0].set_title(f"{_short(sample.name)}\n{sample.label}", fontsize=style.NUMBER_SIZE)
            for axes, network in zip(line[1:], found, strict=True):
                own = network.maps[number]
                picture, place = _frame(own, part, per_sample)
                heat = heat_of(own)
                if heat is None:
                    raise ValueError(f"{network.name} has maps of some samples only")
                _show(axes, heated(picture, heat[place * len(heat) // len(own.pixels)]))
                if part == 0:
                    given = "" if own.probability is None else f"\np({own.label}) = {own.probability:.2f}"
                    axes.set_title(f"{network.name}{given}", fontsize=style.NUMBER_SIZE)
    return style.png(figure)


def _frame(sample: SampleMaps, part: int, parts: int) -> tuple[np.ndarray, int]:
    """The frame in the middle of a part of the clip (H, W, 3) uint8, and its number."""
    place = int((part + 0.5) * len(sample.pixels) / parts)
    picture = sample.pixels[place]
    if picture.shape[-1] == 1:
        picture = np.repeat(picture, 3, axis=-1)
    factor = -(-SMALLEST_SIDE // len(picture))
    if factor > 1:
        picture = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
    return picture, place


def _show(axes: Axes, picture: np.ndarray) -> None:
    axes.imshow(picture)
    axes.set_axis_off()


def _short(name: str) -> str:
    """The end of a long name, which tells more than its beginning."""
    return name if len(name) <= 24 else f"…{name[-23:]}"
