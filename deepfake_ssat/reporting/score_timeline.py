"""The scores of each face over the video's time, as an SVG picture."""

from __future__ import annotations

import io
from collections.abc import Sequence

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from deepfake_ssat.records import ClipScore
from deepfake_ssat.reporting.style import BAND, MARKERS, PALETTE


def timeline_svg(
    clips: Sequence[ClipScore], *, duration: float | None, uncertain_low: float, uncertain_high: float
) -> str:
    """One bar a clip, from its start to its end at its probability of fake; the uncertain band is shaded."""
    figure = Figure(figsize=(7.2, 2.8), layout="constrained")
    axes = figure.add_subplot()
    axes.axhspan(uncertain_low, uncertain_high, color=BAND, alpha=0.25, linewidth=0)
    handles = []
    for number, track in enumerate(dict.fromkeys(clip.track_id for clip in clips)):
        colour, marker = PALETTE[number % len(PALETTE)], MARKERS[number % len(MARKERS)]
        for clip in clips:
            if clip.track_id == track:
                axes.plot(
                    [clip.start_seconds, clip.end_seconds],
                    [clip.probability] * 2,
                    color=colour,
                    linewidth=2.5,
                    marker=marker,
                    markersize=4,
                )
        handles.append(Line2D([], [], color=colour, marker=marker, label=f"face {track}"))
    end = max([duration or 0.0, *(clip.end_seconds for clip in clips)])
    axes.set(xlim=(0, end or 1.0), ylim=(-0.03, 1.03), xlabel="seconds", ylabel="probability of a fake")
    axes.spines[["top", "right"]].set_visible(False)
    if len(handles) <= len(PALETTE):
        figure.legend(handles=handles, loc="outside upper left", ncols=len(handles), frameon=False)
    text = io.StringIO()
    FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None, "Creator": None})
    return text.getvalue()[text.getvalue().index("<svg") :]
