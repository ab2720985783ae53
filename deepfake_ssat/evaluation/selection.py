"""Which videos of a manifest are evaluated, which choose the threshold, and which were dropped before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deepfake_ssat.config import Selection
from deepfake_ssat.errors import ManifestError
from deepfake_ssat.manifest import COMPRESSION_ALIASES, Manifest, select
from deepfake_ssat.records import REAL, DroppedVideo, EvaluatedVideo, ManifestRow


@dataclass(frozen=True)
class ChosenRows:
    """The clip files of one evaluation."""

    evaluated: list[ManifestRow]
    """The labelled ones, then those without a label, which are scored only."""
    validation: list[ManifestRow]
    """All of the validation split, whatever the manipulation; empty where no threshold is to be chosen."""
    dropped: list[DroppedVideo]
    """Videos of the selection that gave no clip."""

    @property
    def all(self) -> list[ManifestRow]:
        """Every row once, in the order in which they are scored."""
        return list(dict.fromkeys([*self.evaluated, *self.validation]))


def choose_rows(manifest: Manifest, selection: Selection, with_validation: bool) -> ChosenRows:
    """Raises ManifestError, naming what the manifest has, when the selection is empty."""
    unlabelled = [row for row in manifest.rows if row.label is None and passes(row, selection)]
    try:
        labelled = select(manifest.rows, selection)
    except ManifestError:
        if not unlabelled:
            raise
        labelled = []
    validation: Sequence[ManifestRow] = ()
    if with_validation:
        wanted = selection.model_copy(update={"splits": ("val",), "manipulations": ()})
        validation = [row for row in manifest.rows if row.label is not None and passes(row, wanted)]
    dropped = [video for video in manifest.dropped if passes(video, selection)]
    return ChosenRows([*labelled, *unlabelled], list(validation), dropped)


def passes(video: ManifestRow | DroppedVideo | EvaluatedVideo, selection: Selection) -> bool:
    """As ``manifest.select`` does, for videos without a label and for dropped ones too."""
    compressions = {COMPRESSION_ALIASES.get(name, name) for name in selection.compressions}
    return (
        (not selection.splits or video.split in selection.splits)
        and (not selection.corpora or video.corpus in selection.corpora)
        and (not compressions or video.compression in compressions)
        and (
            video.label in (REAL, None)
            or not selection.manipulations
            or video.manipulation in selection.manipulations
        )
    )
