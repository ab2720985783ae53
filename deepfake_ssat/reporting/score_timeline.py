"""The scores of each face over the video's time, as an SVG picture in the colours of the page around it."""

from __future__ import annotations

import io
from collections.abc import Sequence

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from deepfake_ssat.records import ClipScore
from deepfake_ssat.reporting.style import BAND, BLACK, MARKERS, PALETTE, REFERENCE

NAMED_FACES = 24
"""Told apart by colour and marker together; of more, the others are grey."""
LEGEND_COLUMNS = 6


def timeline_svg(
    clips: Sequence[ClipScore],
    tracks: Sequence[int],
    *,
    duration: float | None,
    uncertain_low: float,
    uncertain_high: float,
) -> str:
    """One bar a clip, from its start to its end at its probability of fake; the uncertain band is shaded.

    ``tracks`` are the faces, those first that are to have a look of their own.
    """
    named = {track: face_look(number) for number, track in enumerate(tracks[:NAMED_FACES])}
    rows = -(-(len(named) + (len(tracks) > len(named))) // LEGEND_COLUMNS)
    figure = Figure(figsize=(7.2, 2.6 + 0.22 * rows), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot(facecolor="none")
    axes.axhspan(uncertain_low, uncertain_high, color=BAND, alpha=0.25, linewidth=0)
    for clip in clips:
        colour, marker = named.get(clip.track_id, (REFERENCE, "."))
        axes.plot(
            [clip.start_seconds, clip.end_seconds],
            [clip.probability] * 2,
            color=colour,
            linewidth=2.5,
            marker=marker,
            markersize=4,
            zorder=3 if clip.track_id in named else 2,
        )
    end = max([duration or 0.0, *(clip.end_seconds for clip in clips)])
    axes.set(xlim=(0, end or 1.0), ylim=(-0.03, 1.03), xlabel="seconds", ylabel="probability of a fake")
    axes.spines[["top", "right"]].set_visible(False)
    handles = [
        Line2D([], [], color=colour, marker=marker, label=f"face {track}")
        for track, (colour, marker) in named.items()
    ]
    if others := len(tracks) - len(named):
        handles.append(Line2D([], [], color=REFERENCE, marker=".", label=f"{others} others"))
    figure.legend(handles=handles, loc="outside upper left", ncols=LEGEND_COLUMNS, frameon=False)
    text = io.StringIO()
    FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None, "Creator": None})
    svg = text.getvalue()[text.getvalue().index("<svg") :]
    return svg.replace(BLACK, "currentColor")


def face_look(number: int) -> tuple[str, str]:
    """Colour and marker, which no other of the first ``NAMED_FACES`` numbers has both of."""
    turn, place = divmod(number, len(PALETTE))
    return PALETTE[place], MARKERS[(place + turn) % len(MARKERS)]
