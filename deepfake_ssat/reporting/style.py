"""One look for all figures: the colours of Okabe and Ito, markers and lines that tell apart what they do."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deepfake_ssat.records import Estimate

BLUE, VERMILION, BLACK = "#0072B2", "#D55E00", "#000000"
PALETTE = (BLUE, VERMILION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999", "#7A4A1E")
"""Okabe and Ito's, told apart by colour-blind readers, with a grey and a brown; black is what stands out."""
MARKERS = "os^DvPX*<"
LINES = ("-", "--", "-.", ":")
REFERENCE, BAND, GRID = "#999999", "#888888", "#E5E5E5"
"""Lines and areas that values are read against."""
TITLE_SIZE, PANEL_SIZE, LEGEND_SIZE, NUMBER_SIZE = 10, 9, 8, 7
"""Points."""
LEGEND_COLUMNS = 3
DOTS_PER_INCH = 120


def new_figure(width: float, height: float, title: str) -> Figure:
    """In inches; the title says what was judged, and on how much."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title, fontsize=TITLE_SIZE)
    return figure


def add_grid(axes: Axes, axis: Literal["both", "x", "y"] = "both") -> None:
    """Fine lines behind what is drawn."""
    axes.grid(axis=axis, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def legend_below(axes: Axes, size: float) -> None:
    """Below the axes: looking for a free place inside takes long where much is drawn, and warns of it."""
    axes.legend(fontsize=size, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=LEGEND_COLUMNS)


def plot_estimates(
    axes: Axes,
    places: np.ndarray,
    estimates: Sequence[Estimate | None],
    colour: str,
    marker: str,
    label: str,
) -> None:
    """Points in percent, with their intervals where they have them; what is missing is not drawn."""
    values, lows, highs = (
        np.array([in_percent(getattr(found, name, None)) for found in estimates])
        for name in ("value", "low", "high")
    )
    # A mean of resamples may leave the value a rounding error outside its interval.
    bars = np.maximum([values - lows, highs - values], 0)
    axes.plot(places, values, linestyle="", color=colour, marker=marker, markersize=6, label=label)
    axes.errorbar(places, values, bars, fmt="none", ecolor=colour, capsize=3, linewidth=1.3)


def png(figure: Figure) -> bytes:
    """The bytes of a PNG file."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=DOTS_PER_INCH)
    return data.getvalue()


def in_percent(value: float | None) -> float:
    """NaN, which is not drawn, where there is no value."""
    return float("nan") if value is None else 100 * value
