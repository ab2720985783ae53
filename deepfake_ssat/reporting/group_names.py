"""How the groups of an evaluation are called in its tables and pictures."""

from __future__ import annotations

from collections.abc import Callable

from deepfake_ssat.records import EvalGroup, EvalReport


def group_namer(report: EvalReport) -> Callable[[EvalGroup], str]:
    """How groups are called: by manipulation, with corpus or compression where there are several of them."""
    corpora, compressions = ({cell[part] for cell in video_cells(report)} for part in (0, 1))

    def name(group: EvalGroup) -> str:
        corpus = group.corpus if len(corpora) > 1 else ""
        compression = group.compression if len(compressions) > 1 else ""
        return " ".join(filter(None, (corpus, compression, group.manipulation))) or "all"

    return name


def names_of_all(report: EvalReport) -> str:
    """The corpora and compressions of the measured videos, such as ``ffpp c23, ffpp c40``."""
    return ", ".join(" ".join(filter(None, cell)) for cell in video_cells(report)) or "no labelled videos"


def video_cells(report: EvalReport) -> list[tuple[str, str]]:
    """The corpora and compressions of the measured videos."""
    return sorted({(video.corpus, video.compression) for video in report.videos if video.label is not None})
