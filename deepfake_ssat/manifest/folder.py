"""The manifest of a folder of face clips: read, checked, written.

A folder that ``preprocess`` wrote holds ``manifest.csv`` (one row per clip file), ``contract.json`` (the
extraction settings), ``dropped.csv`` (videos that gave no clip, and why), ``warnings.csv`` and ``clips/``.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from deepfake_ssat.config import ExtractionSettings, parse_contract
from deepfake_ssat.errors import ContractError, ManifestError
from deepfake_ssat.manifest.selection import check_leaks
from deepfake_ssat.manifest.table import (
    VideoWarning,
    dropped_table,
    parse_dropped,
    parse_rows,
    rows_table,
    warnings_table,
)
from deepfake_ssat.outputs import write_file
from deepfake_ssat.records import DroppedVideo, ManifestRow, SourceVideo, Status
from deepfake_ssat.text import PIECE, lines_of, parse_json

MANIFEST_FILE = "manifest.csv"
CONTRACT_FILE = "contract.json"
DROPPED_FILE = "dropped.csv"
WARNINGS_FILE = "warnings.csv"


@dataclass(frozen=True)
class Manifest:
    """What ``preprocess`` wrote into one folder."""

    root: Path
    """The folder; clip files are relative to it."""
    rows: tuple[ManifestRow, ...]
    contract: ExtractionSettings
    dropped: tuple[DroppedVideo, ...]
    hash: str
    """SHA-256 of manifest.csv and contract.json."""


def video_columns(video: SourceVideo) -> dict[str, Any]:
    """What each of a video's rows says of the video itself."""
    return {
        "corpus": video.corpus,
        "video_id": video.video_id,
        "label": video.label,
        "manipulation": video.manipulation,
        "split": video.split,
        "identities": video.identities,
        "group": video.group,
        "compression": video.compression,
        "original": video.original_id,
        "is_aligned": bool(video.original_id) and video.is_aligned,
    }


def dropped_video(video: SourceVideo, source: str, reason: Status, detail: str) -> DroppedVideo:
    """The ledger's line of a video that gave no clip."""
    return DroppedVideo(
        corpus=video.corpus,
        video_id=video.video_id,
        source=source,
        split=video.split,
        label=video.label,
        manipulation=video.manipulation,
        reason=reason,
        detail=detail,
        compression=video.compression,
    )


def load_manifest(path: Path) -> Manifest:
    """Reads and checks a folder, or its manifest.csv: columns, values, contract, clip files, leaks.

    Raises ManifestError (or ContractError) in one line.
    """
    file = path / MANIFEST_FILE if path.is_dir() else path
    root = file.parent
    with _opened(file) as source:
        digest = hashlib.sha256()
        for piece in iter(partial(source.read, PIECE), b""):
            digest.update(piece)
        contract_data = _read_bytes(root / CONTRACT_FILE)
        digest.update(contract_data)
        contract = _contract(contract_data, root / CONTRACT_FILE)
        rows = tuple(parse_rows(lines_of(source, file), file))
    with _opened(root / DROPPED_FILE) as source:
        dropped = parse_dropped(lines_of(source, root / DROPPED_FILE), root / DROPPED_FILE)
    _check_rows(rows, contract, file)
    check_leaks(rows)
    return Manifest(root, rows, contract, tuple(dropped), digest.hexdigest())


def write_manifest(
    folder: Path,
    rows: Sequence[ManifestRow],
    dropped: Sequence[DroppedVideo],
    contract: ExtractionSettings,
    warnings: Sequence[VideoWarning] = (),
) -> None:
    """Writes the four files, each atomically, the manifest last; the same input gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    write_contract(folder, contract)
    write_file(folder / DROPPED_FILE, dropped_table(dropped))
    write_file(folder / WARNINGS_FILE, warnings_table(warnings))
    write_file(folder / MANIFEST_FILE, rows_table(rows))


def write_contract(folder: Path, contract: ExtractionSettings) -> None:
    """Writes contract.json atomically."""
    text = json.dumps(contract.model_dump(mode="json"), indent=2) + "\n"
    write_file(folder / CONTRACT_FILE, text.encode())


def read_contract(folder: Path) -> ExtractionSettings | None:
    """The settings that a folder's clips were made under; None for a folder without clips."""
    file = folder / CONTRACT_FILE
    return _contract(_read_bytes(file), file) if file.is_file() else None


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    try:
        source = file.open("rb")
    except OSError as error:
        raise ManifestError(
            f"{file}: cannot be read ({error.strerror}); make the folder with deepfake-ssat preprocess, "
            "or name the one you have"
        ) from error
    with source:
        yield source


def _read_bytes(file: Path) -> bytes:
    with _opened(file) as source:
        return source.read()


def _contract(data: bytes, file: Path) -> ExtractionSettings:
    try:
        values = parse_json(data)
    except ValueError as error:
        raise ContractError(f"{file}: is damaged ({error}); preprocess again into another folder") from error
    return parse_contract(values)


def _check_rows(rows: Sequence[ManifestRow], contract: ExtractionSettings, file: Path) -> None:
    """Every row under the folder's contract, no clip file twice, every clip file there."""
    seen: set[str] = set()
    absent = []
    contract_hash, folder = contract.hash(), str(file.parent)
    for row in rows:
        if row.contract_hash != contract_hash:
            raise ContractError(
                f"{file}: {row.clip_file} was made under contract {row.contract_hash}, {CONTRACT_FILE} is "
                f"{contract_hash}; preprocess again"
            )
        if row.clip_file in seen:
            raise ManifestError(f"{file}: {row.clip_file} is listed twice; preprocess again")
        seen.add(row.clip_file)
        if not os.path.isfile(os.path.join(folder, row.clip_file)):
            absent.append(row.clip_file)
    if absent:
        raise ManifestError(
            f"{file}: {len(absent)} of {len(rows)} clip files are missing, such as {absent[0]}; "
            "run the same preprocess command again"
        )
