"""What ``detect`` writes besides its table, refused before any work where it could not be written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deepfake_ssat.commands.detection_reports import ReportOptions, is_page
from deepfake_ssat.commands.judging import Results
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.outputs import check_different, check_file, is_printed, make_folder, write_file
from deepfake_ssat.reporting.detection_report import results_csv, results_document
from deepfake_ssat.reporting.documents import json_text

if TYPE_CHECKING:
    from deepfake_ssat.inference.description import Described


@dataclass(frozen=True)
class Outputs:
    """What is written besides the table, where asked; ``-`` prints."""

    json: Path | None = None
    csv: Path | None = None
    jsonl: Path | None = None
    """Grows by a line a video."""
    report: Path | None = None
    """The HTML page of one video (FILE.html), or a folder for pages and their index."""
    annotated: Path | None = None
    """A marked copy of one video."""

    @property
    def page(self) -> Path | None:
        """The report, if it is one page."""
        return self.report if self.report is not None and is_page(self.report) else None

    @property
    def pages(self) -> Path | None:
        """The report, if it is a folder."""
        return None if self.page else self.report

    @property
    def is_printed(self) -> bool:
        """Whether standard output is one of them, which the table must then leave alone."""
        return any(map(is_printed, (self.json, self.csv, self.jsonl, self.report)))

    def check(self, videos: Sequence[Path], checkpoint: Path | None) -> None:
        """Refuses, before any work, outputs that could not be written after it or are one of the inputs."""
        inputs = [*videos, checkpoint] if checkpoint else videos
        if self.pages is not None:
            make_folder(self.pages, inputs)
        if self.annotated is not None:
            if len(videos) > 1:
                raise ConfigError(
                    f"--annotate {self.annotated}: marks one video at a time, {len(videos)} are given"
                )
            from deepfake_ssat.reporting.annotate import check_container

            check_file(self.annotated, inputs)
            check_container(self.annotated)
        if self.page is not None and len(videos) > 1:
            raise ConfigError(
                f"--report {self.page}: is the page of one video, {len(videos)} are given; give a folder for "
                "theirs"
            )
        for path in (self.json, self.csv, self.jsonl, self.page):
            if path is not None:
                check_file(path, inputs, may_print=True)
        check_different(
            {
                "--json": self.json,
                "--csv": self.csv,
                "--jsonl": self.jsonl,
                "--report": self.page,
                "--annotate": self.annotated,
            }
        )

    def write(self, results: Results, detector: Described, options: ReportOptions) -> None:
        """The documents of what has been judged."""
        from deepfake_ssat.inference.description import checkpoint_record, settings_record

        verdicts = results.in_order()
        if self.json is not None:
            document = results_document(
                verdicts,
                checkpoint_record(detector),
                settings_record(detector, options.clips),
                options.note,
                not_judged=len(results.videos) - len(verdicts),
            )
            write_file(self.json, json_text(document))
        if self.csv is not None:
            write_file(self.csv, results_csv(verdicts))
