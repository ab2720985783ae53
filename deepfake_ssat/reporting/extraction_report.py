"""What ``preprocess`` tells at its end: what was left out, the account of everything, and the manifest."""

from __future__ import annotations

from collections.abc import Iterable

from deepfake_ssat.corpora import LeftOut
from deepfake_ssat.extraction.account import Account
from deepfake_ssat.extraction.preprocess import PreprocessReport


def notes(report: PreprocessReport, frames: int) -> list[str]:
    """One line each; ``frames`` is the length of a clip."""
    redone = (
        f"{report.redone} videos were done by an earlier version, which stored less or chose other faces: "
        "they were done again"
    )
    return [
        *_left_out(report.left_out),
        *([redone] if report.redone else []),
        *_figures(report.account, frames),
        f"manifest     {report.manifest}",
    ]


def _left_out(left_out: Iterable[LeftOut]) -> list[str]:
    """One line for each reason, with a count and the first names."""
    names: dict[str, list[str]] = {}
    for item in left_out:
        names.setdefault(item.reason, []).append(item.name)
    return [
        f"left out: {len(group)} × {reason} ({', '.join(group[:3])}{', …' if len(group) > 3 else ''})"
        for reason, group in names.items()
    ]


def _figures(account: Account, frames: int) -> list[str]:
    dropped = ", ".join(f"{reason} {count}" for reason, count in sorted(account.dropped.items()))
    lines = [
        f"videos       {account.videos} ({account.done_before} done before)",
        f"tracks       {account.tracks}",
        f"clip files   {account.clip_files}",
        f"clips        {account.clips} of {frames} frames",
        f"dropped      {sum(account.dropped.values())}"
        + (f" ({dropped}), see dropped.csv" if dropped else ""),
        f"warnings     {account.warnings}" + (", see warnings.csv" if account.warnings else ""),
        f"seconds      {account.seconds:.1f} ({account.cpu_seconds:.1f} CPU-seconds in the workers)",
        f"bytes        {account.clip_bytes}{_per_minute(account)}",
    ]
    if account.new_video_seconds:
        rate = 60 * account.cpu_seconds / account.new_video_seconds
        lines.append(f"CPU-seconds  {rate:.1f} per minute of video")
    if account.failed:
        lines.append(f"failed       {account.failed} videos, see dropped.csv; the next run tries them again")
    return lines


def _per_minute(account: Account) -> str:
    if not account.video_seconds:
        return ""
    return f" ({60 * account.clip_bytes / account.video_seconds:.0f} per minute of video)"
