"""Kills the verbs at random moments and lets their disk fill up; run again, they must end as if undisturbed.

    python tools/kill_lab.py [--verbs train,detect] [--kills 50] [--full-disks 20]

Each verb works on small made-up data and is disturbed again and again: SIGINT, SIGTERM and SIGKILL in turn,
to the process alone or to its whole group, and a disk (a tmpfs, so for root) that has room for a part of what
it writes. Signals and full disks must be answered in one line with the right exit code; then the same command
is run until it ends, and its files are compared with those of an undisturbed run. Files that differ between
two undisturbed runs, such as logs with the time, are named and not compared.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from kill_lab_verbs import VERBS, Inputs

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
ANSWERS = {
    signal.SIGINT: (130, "interrupted"),
    signal.SIGTERM: (143, "terminated"),
    signal.SIGKILL: (-signal.SIGKILL, ""),
}
"""Exit code, and the last line of standard error: a slow run tells its progress there."""
REFUSED = 2
JUDGED_AT = re.compile(rb'"judged_at": "[^"]*"')
Answer = tuple[int, str]
KILLS_IN_A_ROW = 4
SECONDS_EACH = 600.0


@dataclass
class Verb:
    """One command line, what it leaves when nobody disturbs it, and how long that takes."""

    name: str
    words: list[str]
    code: int = 0
    seconds: float = SECONDS_EACH
    files: dict[str, str] = field(default_factory=dict)
    varying: set[str] = field(default_factory=set)
    """Of files that differ between two undisturbed runs."""

    def calm(self, place: Path) -> int:
        """Runs it twice in one place, as all that follows: files hold paths. The bytes that it wrote."""
        both, size, modules = [], 0, place.with_name("modules")
        for _ in range(2):
            started = time.monotonic()
            self.code, errors = Run(self.words, place, modules).wait()
            _import(modules)
            self.seconds = min(self.seconds, time.monotonic() - started)
            if self.code not in (0, 3) or "Traceback" in errors:
                raise SystemExit(f"{self.name} fails undisturbed: {self.code} {errors}")
            both.append(hashes(place / "out"))
            size = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
            shutil.rmtree(place)
        self.files = both[0]
        names = both[0].keys() | both[1].keys()
        self.varying = {name for name in names if both[0].get(name) != both[1].get(name)}
        return size

    def differences(self, place: Path) -> list[str]:
        """Files that are not those of an undisturbed run."""
        found = hashes(place / "out")
        names = (found.keys() | self.files.keys()) - self.varying
        return sorted(name for name in names if found.get(name) != self.files.get(name))


class Run:
    """The command in a process of its own group, forked from this one, which has imported everything."""

    def __init__(self, words: list[str], place: Path, modules: Path | None = None) -> None:
        """``modules`` is a file for the names of what was imported in the end."""
        (place / "out").mkdir(parents=True, exist_ok=True)
        self._errors = os.memfd_create("errors")
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            signal.signal(
                signal.SIGINT, signal.default_int_handler
            )  # A shell's job in the background has none.
            os.chdir(place)
            Path(".tmp").mkdir(exist_ok=True)
            os.environ |= {"TMPDIR": str(place / ".tmp"), "XDG_CACHE_HOME": str(place / ".tmp")}
            tempfile.tempdir = None
            os.dup2(self._errors, 2)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.argv = ["deepfake-ssat", *words]
            _call(modules)

    def wait(self, moment: float = SECONDS_EACH, number: int = signal.SIGKILL, group: bool = True) -> Answer:
        """Its exit code, minus the signal's number where one killed it, and its standard error.

        The signal is sent after ``moment`` seconds, to the process or to its whole group.
        """
        started, sent = time.monotonic(), False
        while os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if not sent and time.monotonic() - started >= moment:
                (os.killpg if group else os.kill)(self.pid, number)
                sent = True
            time.sleep(0.002)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        errors = os.pread(self._errors, 1_000_000, 0).decode()
        os.close(self._errors)
        return code, errors.strip()


def _call(modules: Path | None) -> None:
    """Ends this process as the command line does."""
    from deepfake_ssat.cli import main

    code = 1
    try:
        main()
    except SystemExit as error:
        code = int(error.code or 0)
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        if modules is not None:
            modules.write_text("\n".join(sys.modules), encoding="utf-8")
        os._exit(code)


def _import(modules: Path) -> None:
    """Here, once, what each forked process would import again."""
    for name in modules.read_text(encoding="utf-8").splitlines():
        with suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(name)


def hashes(folder: Path) -> dict[str, str]:
    """Of every file but locks and TensorBoard's, which are named by the time.

    Without the time at which a video was judged, and JSONL in any order of lines.
    """
    found = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.suffix != ".lock" and file.parent.name != "tensorboard":
            data = JUDGED_AT.sub(b"", file.read_bytes())
            if file.suffix == ".jsonl":
                data = b"".join(sorted(data.splitlines(keepends=True)))
            found[file.relative_to(folder).as_posix()] = hashlib.sha256(data).hexdigest()
    return found


@dataclass
class Tally:
    """What became of the disturbances of one verb."""

    tried: int = 0
    answered: int = 0
    """With the right exit code and its line, and no traceback."""
    finished: int = 0
    """Disturbances that were followed by a run to the end, and the files of an undisturbed one."""
    faults: list[str] = field(default_factory=list)


def is_answer(number: signal.Signals, code: int, errors: str) -> bool:
    """Whether a process ended as a signal asks it to; SIGKILL leaves it no word."""
    expected, word = ANSWERS[number]
    return code == expected and word in ("", *errors.splitlines()[-1:]) and "Traceback" not in errors


def kill(verb: Verb, place: Path, kills: int, generator: random.Random) -> Tally:
    """Sends signals at random moments until there were so many; after a few in a row it may end."""
    tally = Tally()
    while tally.tried < kills:
        in_a_row = 0
        while in_a_row < min(KILLS_IN_A_ROW, kills - tally.tried):
            number = SIGNALS[(tally.tried + in_a_row) % len(SIGNALS)]
            moment, group = generator.uniform(0.05, verb.seconds), generator.random() < 0.5
            code, errors = Run(verb.words, place).wait(moment, number, group)
            if code == verb.code:
                break  # It was faster.
            in_a_row += 1
            answered = is_answer(number, code, errors)
            tally.answered += answered
            if not answered:
                tally.faults.append(f"{number.name} after {moment:.2f} s: exit code {code}, {_last(errors)}")
        tally.tried += in_a_row
        _compare(verb, place, tally, in_a_row)
        shutil.rmtree(place)
    return tally


def fill(verb: Verb, place: Path, size: int, disks: int, generator: random.Random) -> Tally:
    """Runs it on disks with room for a part of ``size`` bytes, then gives the same disk more."""
    tally, tries = Tally(), 0
    while tally.tried < disks and tries < 3 * disks:
        tries += 1
        with small_disk(place, int(generator.uniform(0.02, 1.3) * size)):
            code, errors = Run(verb.words, place).wait()
            if code == verb.code:
                continue
            tally.tried += 1
            answered = code == REFUSED and errors.startswith("error: ") and "\n" not in errors
            tally.answered += answered
            if not answered:
                tally.faults.append(f"full disk: exit code {code}, {_last(errors)}")
            subprocess.run(["mount", "-o", "remount,size=1g", place], check=True)
            _compare(verb, place, tally, 1)
    return tally


def _compare(verb: Verb, place: Path, tally: Tally, disturbances: int) -> None:
    """Runs it to the end; counts the disturbances before as survived where the files are the right ones."""
    code, errors = Run(verb.words, place).wait()
    differences = verb.differences(place)
    if code != verb.code:
        tally.faults.append(f"run again: exit code {code}, {_last(errors)}")
    elif differences:
        tally.faults.append(f"run again: {len(differences)} files differ, such as {differences[0]}")
    else:
        tally.finished += disturbances


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[None]:
    """At this place a file system in memory with room for so many bytes."""
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={max(size, 16384)}", "tmpfs", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def _last(errors: str) -> str:
    return (errors.splitlines() or ["nothing said"])[-1][:200]


def main() -> None:
    """Prints a line for each verb and disturbance; exit code 1 where something was not as it should be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--verbs", default=",".join(VERBS), help="of " + ", ".join(VERBS))
    parser.add_argument("--kills", type=int, default=50, help="of each verb")
    parser.add_argument("--full-disks", type=int, default=20, help="of each verb, where the user is root")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kill-lab-"))
    inputs = Inputs(folder / "inputs")
    inputs.make()
    modules = folder / "modules"
    code, errors = Run(VERBS["train"](inputs), inputs.folder / "trained", modules).wait()
    if code:
        raise SystemExit(f"the checkpoint could not be trained: {errors}")
    _import(modules)
    faults = Counter()
    for name in given.verbs.split(","):
        verb = Verb(name, VERBS[name](inputs))
        place = folder / "place"
        size, generator = verb.calm(place), random.Random(f"{given.seed} {name}")
        varying = ", ".join(sorted(verb.varying)) or "none"
        print(f"{name}: {verb.seconds:.1f} s, {size / 1e6:.2f} MB, not compared: {varying}", flush=True)
        tallies = {"killed": kill(verb, place, given.kills, generator)}
        if given.full_disks:
            tallies["full disk"] = fill(verb, place, size, given.full_disks, generator)
        for kind, tally in tallies.items():
            counts = f"{tally.tried} tried, {tally.answered} answered, {tally.finished} as undisturbed"
            print(f"  {kind}: {counts}")
            print("".join(f"    {fault}\n" for fault in tally.faults), end="", flush=True)
            faults[name] += len(tally.faults)
    shutil.rmtree(folder)
    raise SystemExit(1 if faults.total() else 0)


if __name__ == "__main__":
    main()
