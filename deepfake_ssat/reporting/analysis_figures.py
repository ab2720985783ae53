"""Figures of what networks learnt, several checkpoints in each, as the paper draws them (figures 6 to 9)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from deepfake_ssat.analysis.analyse import AnalysisReport, NetworkAnalysis
from deepfake_ssat.analysis.blocks import BlockMeasures
from deepfake_ssat.analysis.hessian import HessianSpectra
from deepfake_ssat.analysis.lanczos import spectral_density
from deepfake_ssat.reporting import style

PANEL_WIDTH, PANEL_HEIGHT = 3.6, 3.1
"""Inches."""
DENSITY_POINTS = 400
DENSITY_WIDTH = 0.01
"""Of the Gaussians, in parts of the range of values."""
LOWEST_DENSITY = 1e-6
"""Of the highest, where the axis ends: below, the Gaussians' tails say nothing."""
HISTOGRAM_BINS = 40

Measured = tuple[NetworkAnalysis, BlockMeasures]


def measured_blocks(report: AnalysisReport) -> list[Measured]:
    """The networks whose blocks were measured."""
    return [(network, network.blocks) for network in report.networks if network.blocks is not None]


def received_figure(report: AnalysisReport) -> bytes | None:
    """A PNG: attention that each token receives in the first, a middle and the last block (figure 6)."""
    found = measured_blocks(report)
    if not found:
        return None
    figure = style.new_figure(
        3 * PANEL_WIDTH,
        PANEL_HEIGHT + 0.6 + 0.15 * len(found),
        _title(report, "Attention received per token (1: its equal share)"),
    )
    panels = figure.subplots(1, 3, sharey=True)
    for place, axes in zip((0.0, 0.5, 1.0), panels, strict=True):
        for number, (network, blocks) in enumerate(found):
            block = _block_at(place, len(blocks.received))
            num_tokens = int(np.prod(blocks.grid))
            first, tokens = np.split(blocks.received[block], [-num_tokens])
            token = f"; class token {first[0]:.1f}" if len(first) else ""
            axes.plot(
                tokens,
                color=_colour(number),
                linewidth=1.0,
                label=f"{network.name} (block {block + 1}{token})",
            )
        axes.axhline(1.0, color=style.REFERENCE, linewidth=1, linestyle=":")
        axes.set_xlabel("token")
        axes.legend(fontsize=style.NUMBER_SIZE, loc="upper center", bbox_to_anchor=(0.5, -0.16))
        style.add_grid(axes)
        _mark_steps(axes, found[0][1].grid)
    panels[0].set_ylabel("attention received")
    return style.png(figure)


def distance_figure(report: AnalysisReport) -> bytes | None:
    """A PNG: how far each head of each block looks, in pixels and, for clips, in frames."""
    found = measured_blocks(report)
    if not found:
        return None
    in_time = any(blocks.grid[0] > 1 for _, blocks in found)
    rows = ("pixels", "frames") if in_time else ("pixels",)
    width, height = max(len(found) * PANEL_WIDTH, 2 * PANEL_WIDTH), len(rows) * PANEL_HEIGHT + 0.6
    figure = style.new_figure(width, height, _title(report, "Attention distance"))
    panels = figure.subplots(len(rows), len(found), sharey="row", squeeze=False)
    for row, (unit, line) in enumerate(zip(rows, panels, strict=True)):
        for number, (axes, (network, blocks)) in enumerate(zip(line, found, strict=True)):
            heads = getattr(blocks, unit).mean(axis=0)
            places = 1 + np.arange(len(heads))
            for head in heads.T:
                axes.plot(places, head, ".", color=_colour(number), alpha=0.7)
            axes.plot(
                places, heads.mean(axis=1), color=_colour(number), linewidth=1.6, label="mean of the heads"
            )
            axes.axhline(
                blocks.uniform[row],
                color=style.REFERENCE,
                linewidth=1,
                linestyle=":",
                label="equal attention",
            )
            _finish_blocks(axes, places)
            if row == 0:
                axes.set_title(network.name, fontsize=style.PANEL_SIZE)
        farthest = max(float(getattr(blocks, unit).mean(axis=0).max()) for _, blocks in found)
        line[0].set(ylabel=f"mean distance, {unit}", ylim=(0, 1.15 * farthest))
    panels[0, 0].legend(fontsize=style.NUMBER_SIZE, loc="lower left")
    return style.png(figure)


def token_distance_figure(report: AnalysisReport) -> bytes | None:
    """A PNG: the mean Euclidean distance between a sample's tokens, by block (figure 7)."""
    return _lines(report, "Inter-token distance", "Euclidean distance", lambda blocks: blocks.token_distance)


def variance_figure(report: AnalysisReport) -> bytes | None:
    """A PNG: the variance of feature maps, by block (figure 8)."""
    return _lines(report, "Feature-map variance", "variance", lambda blocks: blocks.feature_variance)


def hessian_figure(report: AnalysisReport) -> bytes | None:
    """A PNG: the largest eigenvalues of all batches (figure 9), and below the density of all eigenvalues."""
    found = [(network, network.hessian) for network in report.networks if network.hessian is not None]
    if not found:
        return None
    width = max(len(found) * PANEL_WIDTH, 2 * PANEL_WIDTH)
    figure = style.new_figure(
        width, 2 * PANEL_HEIGHT + 0.6, _title(report, "Hessian of the classification loss")
    )
    panels = figure.subplots(2, len(found), sharex="row", sharey="row", squeeze=False)
    everything = [spectra for _, spectra in found]
    edges = np.linspace(*_range(_largest_values(spectra) for spectra in everything), HISTOGRAM_BINS + 1)
    low, high = _range(np.concatenate([run.values for run in spectra.batches]) for spectra in everything)
    places = np.linspace(low, high, DENSITY_POINTS)
    blur = DENSITY_WIDTH * (high - low)
    highest = 0.0
    for number, (network, spectra) in enumerate(found):
        top, bottom = panels[:, number]
        values = _largest_values(spectra)
        top.hist(values, edges.tolist(), color=_colour(number), alpha=0.8)
        top.set_title(
            f"{network.name}: {spectra.settings.eigenvalues} largest of {len(spectra.batches)} batches,\n"
            f"{int((values < 0).sum())} of {len(values)} negative, {spectra.num_unsettled} unsettled",
            fontsize=style.PANEL_SIZE,
        )
        density = spectral_density(spectra.batches, places, blur)
        highest = max(highest, float(density.max()))
        bottom.plot(places, density, color=_colour(number), linewidth=1.4)
        for axes in (top, bottom):
            axes.axvline(0.0, color=style.REFERENCE, linewidth=1, linestyle=":")
            style.add_grid(axes)
        top.set_xlabel("eigenvalue of the largest magnitude")
        bottom.set_xlabel("eigenvalue")
    panels[0, 0].set_ylabel("eigenvalues")
    panels[0, 0].yaxis.set_major_locator(MaxNLocator(integer=True))
    panels[1, 0].set(ylabel="density of all", yscale="log", ylim=(LOWEST_DENSITY * highest, 2 * highest))
    return style.png(figure)


def _lines(
    report: AnalysisReport, title: str, label: str, values_of: Callable[[BlockMeasures], np.ndarray]
) -> bytes | None:
    """Means over the samples with their standard deviation as a band."""
    found = measured_blocks(report)
    if not found:
        return None
    figure = style.new_figure(5.6, 4.0, _title(report, title))
    axes = figure.add_subplot()
    deepest = max((values_of(blocks) for _, blocks in found), key=lambda values: values.shape[1])
    for number, (network, blocks) in enumerate(found):
        values = values_of(blocks)
        places = 1 + np.arange(values.shape[1])
        mean, deviation = values.mean(axis=0), values.std(axis=0)
        look = {
            "color": _colour(number),
            "marker": style.MARKERS[number % len(style.MARKERS)],
            "markersize": 4,
        }
        axes.plot(places, mean, label=network.name, linewidth=1.6, **look)
        axes.fill_between(
            places, mean - deviation, mean + deviation, color=_colour(number), alpha=0.15, linewidth=0
        )
    _finish_blocks(axes, 1 + np.arange(deepest.shape[1]))
    axes.set(ylabel=f"{label} (band: ± 1 sd of samples)", ylim=(0, None))
    style.legend_below(axes, style.LEGEND_SIZE)
    return style.png(figure)


def _title(report: AnalysisReport, what: str) -> str:
    splits = ", ".join(report.selection.splits) or "all splits"
    return f"{what}: {report.num_samples} {report.unit}s of {splits}"


def _colour(number: int) -> str:
    return style.PALETTE[number % len(style.PALETTE)]


def _block_at(place: float, depth: int) -> int:
    """Of twelve blocks the first, sixth and twelfth, as the paper shows them."""
    return max(round(place * depth) - 1, 0)


def _mark_steps(axes: Axes, grid: tuple[int, int, int]) -> None:
    """Where one time step's tokens end and the next one's begin."""
    for step in range(1, grid[0]):
        axes.axvline(step * grid[1] * grid[2] - 0.5, color=style.GRID, linewidth=1.2, zorder=0)


def _finish_blocks(axes: Axes, places: np.ndarray) -> None:
    axes.set_xlabel("block")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlim(places[0] - 0.5, places[-1] + 0.5)
    style.add_grid(axes)


def _largest_values(spectra: HessianSpectra) -> np.ndarray:
    return np.concatenate([found.values for found in spectra.largest])


def _range(groups: Iterable[np.ndarray]) -> tuple[float, float]:
    values = np.concatenate([*groups, np.zeros(1)])
    margin = 0.05 * max(float(np.ptp(values)), 1e-12)
    return float(values.min()) - margin, float(values.max()) + margin
