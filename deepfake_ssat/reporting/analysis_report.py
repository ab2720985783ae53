"""What networks learnt, told: tables, figures, CSV by block, head, token, eigenvalue (docs/analysis.md)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from deepfake_ssat.analysis.analyse import AnalysisReport, NetworkAnalysis
from deepfake_ssat.analysis.blocks import BlockMeasures
from deepfake_ssat.analysis.hessian import UNSETTLED, HessianSpectra
from deepfake_ssat.reporting import analysis_figures as figures
from deepfake_ssat.reporting.analysis_maps import attention_maps_figure, grad_cam_figure
from deepfake_ssat.reporting.documents import Files, document, json_text
from deepfake_ssat.reporting.tables import ABSENT, Table, csv_table, markdown

BLOCK_COLUMNS = (
    *("checkpoint", "block", "attention_pixels", "attention_frames"),
    *("token_distance", "token_distance_sd", "feature_variance", "feature_variance_sd"),
)
HEAD_COLUMNS = ("checkpoint", "block", "head", "pixels", "frames")
TOKEN_COLUMNS = ("checkpoint", "block", "token", "step", "row", "column", "received")
EIGENVALUE_COLUMNS = ("checkpoint", "batch", "rank", "eigenvalue", "error")
CLASS_TOKEN = "class"


def tables(report: AnalysisReport) -> list[Table]:
    """Each network's blocks, and its Hessian, at a glance."""
    shown = []
    found = figures.measured_blocks(report)
    if found:
        headings = ("checkpoint", "attention, px", "inter-token distance", "feature variance")
        rows = [(network.name, *_first_to_last(blocks)) for network, blocks in found]
        shown.append(Table("First → last block", headings, rows))
    curved = [(network.name, network.hessian) for network in report.networks if network.hessian is not None]
    if curved:
        headings = ("checkpoint", "n", "negative", "smallest", "largest", "mean |negative|", "unsettled")
        rows = [(name, *_hessian_cells(spectra)) for name, spectra in curved]
        shown.append(Table("Hessian eigenvalues of the largest magnitude, by batch", headings, rows))
    return shown


def notes(report: AnalysisReport) -> list[str]:
    """One line each: the samples, what is measured, what could not be, and of which files."""
    selection = "; ".join(
        f"{name} {', '.join(values)}" for name, values in report.selection.model_dump().items() if values
    )
    lines = [
        f"{report.num_samples} {report.unit}s of {report.data} ({selection}), drawn with seed {report.seed}"
    ]
    spectra = next((network.hessian for network in report.networks if network.hessian is not None), None)
    if spectra is not None:
        lines.append(
            f"Hessian: of the mean cross-entropy over {spectra.batch_samples} {report.unit}s, without "
            f"augmentation or weight decay; batches: {len(spectra.batches)}, Lanczos steps: "
            f"{spectra.settings.steps}; n eigenvalues, unsettled: an error of more than {UNSETTLED:.0%}"
        )
    for network in report.networks:
        lines += [f"{network.name}: {note}" for note in network.notes]
    return [
        *lines,
        *(
            f"{network.name}: {network.objective or network.kind}, {network.path}, {network.sha256[:16]}"
            for network in report.networks
        ),
        f"command: {report.provenance['command']}",
    ]


def files(report: AnalysisReport) -> Files:
    """Figures, tables for people and programs; what was not measured is not there."""
    found = figures.measured_blocks(report)
    curved = [network for network in report.networks if network.hessian is not None]
    return {
        "attention_received.png": figures.received_figure(report),
        "attention_distance.png": figures.distance_figure(report),
        "token_distance.png": figures.token_distance_figure(report),
        "feature_variance.png": figures.variance_figure(report),
        "hessian.png": figures.hessian_figure(report),
        "attention_maps.png": attention_maps_figure(report),
        "grad_cam.png": grad_cam_figure(report),
        "blocks.csv": csv_table(BLOCK_COLUMNS, _block_lines(report)) if found else None,
        "heads.csv": csv_table(HEAD_COLUMNS, _head_lines(report)) if found else None,
        "tokens.csv": csv_table(TOKEN_COLUMNS, _token_lines(report)) if found else None,
        "eigenvalues.csv": csv_table(EIGENVALUE_COLUMNS, _eigenvalue_lines(report)) if curved else None,
        "analysis.md": markdown(
            "What the networks learnt", [*tables(report), *_by_block(report)], notes(report)
        ),
        "analysis.json": json_text(document("1.0", _content(report))),
    }


def _first_to_last(blocks: BlockMeasures) -> Iterator[str]:
    for values in (blocks.pixels.mean(axis=-1), blocks.token_distance, blocks.feature_variance):
        first, *_, last = [*values.mean(axis=0), values.mean(axis=0)[-1]]
        yield f"{first:.4g} → {last:.4g}"


def _hessian_cells(spectra: HessianSpectra) -> list[str]:
    values = np.concatenate([found.values for found in spectra.largest])
    negative = values[values < 0]
    return [
        str(len(values)),
        str(len(negative)),
        f"{values.min():.4g}",
        f"{values.max():.4g}",
        f"{np.abs(negative).mean():.4g}" if len(negative) else ABSENT,
        str(spectra.num_unsettled),
    ]


def _by_block(report: AnalysisReport) -> list[Table]:
    """Every block, a table for each network: means with the samples' standard deviations."""
    headings = ("block", "attention, px", "attention, frames", "inter-token distance", "feature variance")
    return [
        Table(
            f"{network.name}, block by block (mean ± sd of {blocks.num_samples})",
            headings,
            [
                (
                    str(number + 1),
                    f"{blocks.pixels[:, number].mean():.2f}",
                    f"{blocks.frames[:, number].mean():.2f}" if blocks.grid[0] > 1 else ABSENT,
                    *(
                        f"{values[:, number].mean():.4g} ± {values[:, number].std():.2g}"
                        for values in (blocks.token_distance, blocks.feature_variance)
                    ),
                )
                for number in range(len(blocks.received))
            ],
        )
        for network, blocks in figures.measured_blocks(report)
    ]


def _block_lines(report: AnalysisReport) -> Iterator[dict[str, Any]]:
    for network, blocks in figures.measured_blocks(report):
        for number in range(len(blocks.received)):
            line: dict[str, Any] = {"checkpoint": network.name, "block": number + 1}
            for name, values in (("attention_pixels", blocks.pixels), ("attention_frames", blocks.frames)):
                line[name] = f"{values[:, number].mean():.6g}"
            for name in ("token_distance", "feature_variance"):
                values = getattr(blocks, name)[:, number]
                line |= {name: f"{values.mean():.6g}", f"{name}_sd": f"{values.std():.6g}"}
            yield line


def _head_lines(report: AnalysisReport) -> Iterator[dict[str, Any]]:
    for network, blocks in figures.measured_blocks(report):
        pixels, frames = blocks.pixels.mean(axis=0), blocks.frames.mean(axis=0)
        for block, head in np.ndindex(pixels.shape):
            yield {
                "checkpoint": network.name,
                "block": block + 1,
                "head": head + 1,
                "pixels": f"{pixels[block, head]:.6g}",
                "frames": f"{frames[block, head]:.6g}",
            }


def _token_lines(report: AnalysisReport) -> Iterator[dict[str, Any]]:
    for network, blocks in figures.measured_blocks(report):
        cells = list(np.ndindex(blocks.grid))
        first = blocks.received.shape[1] - len(cells)
        for block, received in enumerate(blocks.received):
            for token, value in enumerate(received.tolist(), start=-first):
                line = {"checkpoint": network.name, "block": block + 1, "received": f"{value:.6g}"}
                if token < 0:
                    yield line | {"token": CLASS_TOKEN}
                else:
                    step, row, column = cells[token]
                    yield line | {"token": token, "step": step, "row": row, "column": column}


def _eigenvalue_lines(report: AnalysisReport) -> Iterator[dict[str, Any]]:
    for network in report.networks:
        for batch, found in enumerate(network.hessian.largest if network.hessian else ()):
            for rank, (value, error) in enumerate(zip(found.values, found.errors, strict=True)):
                yield {
                    "checkpoint": network.name,
                    "batch": batch + 1,
                    "rank": rank + 1,
                    "eigenvalue": f"{value:.6g}",
                    "error": f"{error:.2g}",
                }


def _content(report: AnalysisReport) -> dict[str, Any]:
    return {
        **report.provenance,
        "data": report.data,
        "selection": report.selection.model_dump(mode="json"),
        "samples": {"unit": report.unit, "number": report.num_samples, "seed": report.seed},
        "checkpoints": [_network_values(network) for network in report.networks],
    }


def _network_values(network: NetworkAnalysis) -> dict[str, Any]:
    blocks, hessian = network.blocks, network.hessian
    return {
        **{name: getattr(network, name) for name in ("name", "path", "sha256", "kind", "objective")},
        "blocks": None if blocks is None else _block_values(blocks),
        "hessian": None
        if hessian is None
        else {
            **asdict(hessian.settings),
            "batch_samples": hessian.batch_samples,
            "parameters": hessian.num_parameters,
            "ritz": [
                {name: getattr(run, name).tolist() for name in ("values", "weights", "errors")}
                for run in hessian.batches
            ],
        },
        "maps": [
            {"name": sample.name, "class": sample.label, "probability_of_class": sample.probability}
            for sample in network.maps
        ],
        "notes": list(network.notes),
    }


def _block_values(blocks: BlockMeasures) -> dict[str, Any]:
    return {
        "grid": list(blocks.grid),
        "samples": blocks.num_samples,
        "attention_distance": {
            "pixels": blocks.pixels.mean(axis=0).tolist(),
            "frames": blocks.frames.mean(axis=0).tolist(),
            "equal_attention": dict(zip(("pixels", "frames"), blocks.uniform, strict=True)),
        },
        **{
            name: {"mean": values.mean(axis=0).tolist(), "sd": values.std(axis=0).tolist()}
            for name, values in (
                ("token_distance", blocks.token_distance),
                ("feature_variance", blocks.feature_variance),
            )
        },
    }
