"""What tools/kill_lab.py compares."""

import signal

import kill_lab


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


def test_answer_to_a_signal_is_its_code_and_its_line_behind_any_progress():
    assert kill_lab.is_answer(signal.SIGTERM, 143, "3/7 videos, 5.2/min\nterminated")
    assert kill_lab.is_answer(signal.SIGKILL, -9, "3/7 videos, 5.2/min")
    assert not kill_lab.is_answer(signal.SIGTERM, 143, "Traceback (most recent call last):\nterminated")
    assert not kill_lab.is_answer(signal.SIGINT, 130, "")
    assert not kill_lab.is_answer(signal.SIGINT, 0, "interrupted")
