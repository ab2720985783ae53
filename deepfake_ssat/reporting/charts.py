"""Charts that several reports draw: the scores of both classes, and reliability."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from deepfake_ssat.metrics import ReliabilityBin
from deepfake_ssat.reporting.style import BLUE, NUMBER_SIZE, REFERENCE, VERMILION, add_grid

SCORE_BINS = 20
RIGHT_EDGE = 0.9
"""Points beyond carry their numbers on the left."""


def draw_scores(
    axes: Axes,
    reals: Sequence[float],
    fakes: Sequence[float],
    names: tuple[str, str],
    unit: str = "video",
) -> None:
    """How many videos (or other units) of each class, called so in the legend, got which probability."""
    edges = np.linspace(0, 1, SCORE_BINS + 1).tolist()
    axes.hist(reals, edges, color=BLUE, alpha=0.5, label=f"{names[0]} ({len(reals)})")
    # An outline: the bars behind it stay in sight.
    outline = {"histtype": "step", "color": VERMILION, "hatch": "///", "linewidth": 1.6}
    axes.hist(fakes, edges, label=f"{names[1]} ({len(fakes)})", **outline)
    axes.set(xlim=(0, 1), ylabel=f"{unit}s")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))


def draw_reliability(
    axes: Axes,
    bins: Sequence[ReliabilityBin],
    names: tuple[str, str],
    unit: str = "video",
    fake: str = "fake",
) -> None:
    """The part of fakes in each bin of videos against their probability, with the number of each class.

    ``unit`` and ``fake`` are what these are called.
    """
    axes.plot([0, 1], [0, 1], color=REFERENCE, linewidth=1, label="calibrated")
    bars = np.abs([[bin_.low - bin_.observed for bin_ in bins], [bin_.high - bin_.observed for bin_ in bins]])
    axes.errorbar(
        [bin_.predicted for bin_ in bins],
        [bin_.observed for bin_ in bins],
        bars,
        fmt="o",
        color=BLUE,
        capsize=2,
        markersize=5,
        label=f"{unit}s ({names[0]} + {names[1]})\n95 % interval",
    )
    for bin_ in bins:
        side, alignment = (6, "left") if bin_.predicted < RIGHT_EDGE else (-6, "right")
        axes.annotate(
            f"{bin_.num_real}+{bin_.num_fake}",
            (bin_.predicted, bin_.observed),
            textcoords="offset points",
            xytext=(side, 5),
            ha=alignment,
            fontsize=NUMBER_SIZE,
        )
    add_grid(axes)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.08), aspect="equal")
    axes.set(xlabel=f"mean probability of {fake} in the bin", ylabel=f"part that is {fake} in the bin")
    axes.legend(loc="lower right", fontsize=NUMBER_SIZE)
