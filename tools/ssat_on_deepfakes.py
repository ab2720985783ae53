"""Does SSAT help on deepfakes? Scratch, SSAT, MAE and SupMAE on parts of DFDC's originals, one table.

    python tools/ssat_on_deepfakes.py OUT --dfdc CROPS --ffpp CLIPS --parts 0.01 0.1 1 --seeds 0 1

CROPS and CLIPS are what ``preprocess`` wrote of DFDC's face crops and of FaceForensics++. The parts are those
of figure 5, on deepfakes: a smaller one lies within a larger, each original with all of its fakes. Every
method sees as many pictures in all; MAE and SupMAE spend the first half of them on pre-training. Judged are
DFDC's validation originals, and FaceForensics++ without having seen any of it (all its splits, c23). The same
command goes on where it was killed; ``compare`` writes what differs, with intervals.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from train_default_weights import rewrite, run_verb

from deepfake_ssat.corpora.splits import hashed_position

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "image_ssat_dfdc_crops.yaml"
SCRATCH = ("objective.name=scratch", "objective.classification_weight=1.0")
SUPMAE_NETWORK = ("model.pooling=patch_mean",)


@dataclass(frozen=True)
class Method:
    """Its trainings, each as changes of the configuration; the epochs are shared out among them."""

    name: str
    stages: tuple[tuple[str, ...], ...]


METHODS = (
    Method("scratch", (SCRATCH,)),
    Method("ssat", ((),)),
    Method("mae", (("objective.name=mae",), SCRATCH)),
    Method(
        "supmae",
        (
            ("objective.name=supmae", "objective.classification_weight=0.01", *SUPMAE_NETWORK),
            (*SCRATCH, *SUPMAE_NETWORK),
        ),
    ),
)
"""As in table 3 and in SupMAE's paper; a stage starts from the last weights of the one before."""


def main() -> None:
    """Parses, and trains, judges and compares in turn."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--dfdc", type=Path, required=True, metavar="CROPS")
    parser.add_argument("--ffpp", type=Path, required=True, metavar="CLIPS")
    parser.add_argument("--parts", type=float, nargs="+", default=[0.01, 0.1, 1.0], metavar="P")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], metavar="N")
    parser.add_argument("--methods", nargs="+", choices=[method.name for method in METHODS])
    parser.add_argument("--epochs", type=int, default=20, help="of 24,000 pictures each")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="changes")
    options = parser.parse_args()
    methods = [method for method in METHODS if method.name in (options.methods or [method.name])]
    for part in options.parts:
        manifest = part_of(options.dfdc, part)
        for seed in options.seeds:
            for method in methods:
                folder = options.out / f"part_{part:g}" / f"{method.name}_seed{seed}"
                changes = [f"data.sources.dfdc.manifest={manifest}", f"seed={seed}", *options.changes]
                judge(train(method, changes, options.epochs, folder), folder, options.dfdc, options.ffpp)
        compare(options.out / f"part_{part:g}", methods, options.seeds)


def part_of(dfdc: Path, part: float) -> Path:
    """A manifest beside DFDC's own with a part of the training originals, their fakes, and all of val."""
    if not 0 < part <= 1:
        raise SystemExit(f"error: --parts {part:g} must lie above 0, and not above 1")
    if part == 1:
        return dfdc
    return rewrite(
        dfdc,
        f"part_{part:g}.csv",
        lambda row: row if row["split"] != "train" or hashed_position(row["group"]) < part else None,
    )


def train(method: Method, changes: list[str], epochs: int, folder: Path) -> Path:
    """The method's trainings; returns the best weights of the last one."""
    weights: Path | None = None
    for number, stage in enumerate(method.stages):
        share = epochs // len(method.stages)
        own = [*changes, *stage, f"trainer.epochs={share}"]
        if weights is not None:
            own.append(f"init={weights}")
        out = folder / f"stage{number + 1}"
        run_verb("train", CONFIG, *(word for change in own for word in ("--set", change)), "--out", out)
        weights = out / "checkpoints" / "last.safetensors"
    return folder / f"stage{len(method.stages)}" / "checkpoints" / "best.safetensors"


def judge(weights: Path, folder: Path, dfdc: Path, ffpp: Path) -> None:
    """On originals of DFDC that nobody trained on, and on the other corpus."""
    run_verb("evaluate", weights, dfdc, "--split", "val", "--out", folder / "dfdc")
    splits = [word for split in ("train", "val", "test") for word in ("--split", split)]
    run_verb("evaluate", weights, ffpp, *splits, "--compression", "c23", "--out", folder / "ffpp")


def compare(folder: Path, methods: list[Method], seeds: list[int]) -> None:
    """The methods on the same videos; seeds of one method together."""
    for corpus in ("dfdc", "ffpp"):
        named = [
            f"{method.name}={folder / f'{method.name}_seed{seed}' / corpus}"
            for method in methods
            for seed in seeds
        ]
        if len(methods) > 1:
            run_verb("compare", *named, "--out", folder / f"compared_on_{corpus}")


if __name__ == "__main__":
    main()
