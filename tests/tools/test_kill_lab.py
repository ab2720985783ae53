"""What tools/kill_lab.py compares, and one verb killed twice."""

import subprocess
import sys
from pathlib import Path

import kill_lab
import pytest

REPOSITORY = Path(__file__).parents[2]


def test_only_what_a_verb_writes_for_good_is_compared(tmp_path):
    for name, text in {
        "out.jsonl": 'a "judged_at": "1"\nb\n',
        "report/page.html": "x",
        ".train.lock": "",
        "tensorboard/events.1": "",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    before = kill_lab.hashes(tmp_path)
    assert set(before) == {"out.jsonl", "report/page.html"}
    (tmp_path / "out.jsonl").write_text('b\na "judged_at": "2"\n')
    assert kill_lab.hashes(tmp_path) == before
    verb = kill_lab.Verb("detect", [], files=before, varying={"report/page.html"})
    (tmp_path / "out").mkdir()
    assert verb.differences(tmp_path) == ["out.jsonl"]


@pytest.mark.slow
def test_killed_verb_is_told_from_one_that_lost_something():
    words = ["--verbs", "calibrate", "--kills", "2", "--full-disks", "0"]
    lab = [sys.executable, REPOSITORY / "tools" / "kill_lab.py", *words]
    done = subprocess.run(lab, capture_output=True, text=True, cwd=REPOSITORY)
    assert (done.returncode, done.stderr) == (0, "")
    assert "killed: 2 tried, 2 answered, 2 as undisturbed" in done.stdout
