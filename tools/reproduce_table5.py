"""Repeats the paper's Table 5 on PneumoniaMNIST: trains each method under several seeds; writes the table.

    python tools/reproduce_table5.py pneumoniamnist.npz out --epochs 100 --seeds 0 1 2 \
        --methods scratch ssat ssl_finetune supmae --variants paper held_out

May be stopped at any moment: the same command goes on, and leaves finished runs alone. All methods of a seed
come before the next seed. ``--report-only`` writes the table from what is there.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from table5_plan import METHODS, VARIANTS, make_plan
from table5_report import write_report
from table5_results import read_results
from table5_runs import check_stage, read_test_pictures, run_stage

from deepfake_ssat.errors import ConfigError, DeepfakeError


def main(words: Sequence[str] | None = None) -> int:
    """Parses and runs; what a user can cause is one line, and exit code 2."""
    options = _parser().parse_args(words)
    signal.signal(signal.SIGTERM, _end)
    try:
        return reproduce(options)
    except DeepfakeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return 130


def reproduce(options: argparse.Namespace) -> int:
    """All trainings in turn, the table after each of them; the exit code of the first that fails."""
    num_test = len(read_test_pictures(options.data, 1, None))
    if not options.report_only:
        if options.epochs < 2:
            raise ConfigError(f"--epochs {options.epochs}: two stages of training need 2 at least")
        plan = make_plan(
            options.data.resolve(),
            options.out,
            options.epochs,
            options.seeds,
            options.methods,
            options.variants,
            options.threads,
            options.changes,
        )
        for stage in plan:
            check_stage(stage)
        for number, stage in enumerate(plan):
            place = f"{stage.variant}, seed {stage.seed}, {stage.name}"
            print(f"\n=== {number + 1} of {len(plan)}: {place}", flush=True)
            if code := run_stage(stage, options.country, options.cpu_watts):
                return code
            report(options.out, options.data, num_test)
    print("\n" + report(options.out, options.data, num_test).read_text(encoding="utf-8"))
    return 0


def report(out: Path, data: Path, num_test: int) -> Path:
    """Writes the table of what is finished."""
    return write_report(out, *read_results(out, data, num_test))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="MedMNIST's pneumoniamnist.npz")
    parser.add_argument("out", type=Path, help="folder of the runs and the table")
    parser.add_argument("--epochs", type=int, default=100, help="of a method in all; default: 100")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=["paper"])
    parser.add_argument("--threads", type=int, help="CPU threads of the training")
    parser.add_argument(
        "--set", dest="changes", action="append", default=[], metavar="KEY=VALUE", help="for every run"
    )
    parser.add_argument("--country", default="USA", help="whose electricity, as three letters; default: USA")
    parser.add_argument("--cpu-watts", type=float, help="the processor's rated power, if codecarbon lacks it")
    parser.add_argument("--report-only", action="store_true", help="write the table from what is there")
    return parser


def _end(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
