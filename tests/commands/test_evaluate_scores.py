"""evaluate --scores: anybody's scores measured like a checkpoint's; hostile tables refused."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import rankdata
from typer.testing import CliRunner

from deepfake_ssat import evaluate_scores
from deepfake_ssat.cli import app
from deepfake_ssat.commands import compare
from deepfake_ssat.config import Selection
from deepfake_ssat.errors import ConfigError, DeepfakeError, ManifestError, TextError
from deepfake_ssat.reporting.documents import write_files
from deepfake_ssat.reporting.evaluation_report import report_json, videos_csv
from tests.corpora.test_deepfakebench import faceforensics
from tests.corpora.trees import write_json
from tests.reporting.evaluations import DROPPED, drawn_videos, make_report

LINES = "a.mp4,0.1,real\nb.mp4,0.4,0\nc.mp4,0.35,fake\nd.mp4,0.8,1\n"


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def run(*arguments):
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def test_metrics_are_those_of_the_definitions(tmp_path):
    report = evaluate_scores(write(tmp_path / "s.csv", "path,score,label\n" + LINES))
    (everything, _) = report.groups
    assert (everything.num_real, everything.num_fake) == (2, 2)
    # Of the four pairs of a fake and a real the fake is higher in three.
    assert everything.video["auc"].value == pytest.approx(3 / 4)
    assert everything.video["accuracy_at_half"].value == pytest.approx(3 / 4)
    wanted = -np.mean(np.log([0.9, 0.6, 0.35, 0.8]))
    assert everything.video["log_loss"].value == pytest.approx(wanted)
    assert [video.name for video in report.videos] == [f"csv/{name}" for name in "abcd"]


@pytest.mark.slow
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_tables_as_people_save_them(tmp_path, separator, encoding):
    text = " Image ,PROB,Label,note\r\nMüller.mp4, 0.25 ,Real,é\r\nx.mp4,1,1,\r\n".replace(",", separator)
    report = evaluate_scores(write(tmp_path / "s.csv", text, encoding))
    assert [(v.video_id, v.label, v.probability) for v in report.videos] == [
        ("Müller", 0, 0.25),
        ("x", 1, 1.0),
    ]


@pytest.mark.slow
def test_own_results_read_back_give_the_same_metrics(tmp_path):
    videos = drawn_videos()
    own = make_report(videos, dropped=(DROPPED,))
    write(tmp_path / "videos.csv", videos_csv(own).decode())
    again = evaluate_scores(tmp_path / "videos.csv")
    assert [group.manipulation for group in again.groups] == ["", "Deepfakes", "NeuralTextures"]
    for ours, theirs in zip(own.groups, again.groups, strict=True):
        for metric in ("auc", "average_precision", "equal_error_rate", "log_loss", "calibration_error"):
            assert theirs.video[metric].value == pytest.approx(ours.video[metric].value, abs=1e-7)
            assert theirs.video[metric].low == pytest.approx(ours.video[metric].low, abs=1e-7)
    assert [video.video_id for video in again.dropped] == [DROPPED.video_id]
    assert again.dropped[0].reason is DROPPED.reason


def test_lines_of_one_video_are_put_together(tmp_path):
    scores = {"a": (0.1, 0.2, 0.6), "b": (0.7, 0.9, 0.8)}
    lines = [
        f"{name},{name}/{n}.png,{s},{'ab'.index(name)}" for name in scores for n, s in enumerate(scores[name])
    ]
    table = write(tmp_path / "s.csv", "\n".join(["video,path,score,label", *lines]))
    for rule, wanted in ((None, (0.3, 0.8)), ("median", (0.2, 0.8)), ("max", (0.6, 0.9))):
        report = evaluate_scores(table, rule=rule)
        assert [video.probability for video in report.videos] == pytest.approx(wanted)
        assert report.groups[0].num_clips == 6
    ranks = rankdata([*scores["a"], *scores["b"]])[3:]
    assert report.groups[0].clip["auc"].value == pytest.approx((ranks.sum() - 6) / 9)


def test_kinds_of_scores(tmp_path):
    plain = evaluate_scores(write(tmp_path / "p.csv", "path,score,label\na,0.25,0\nb,0.5,1\n"))
    real = evaluate_scores(write(tmp_path / "r.csv", "path,score,label\na,0.75,0\nb,0.5,1\n"), kind="real")
    logits = f"path,score,label\na,{np.log(1 / 3)},0\nb,0,1\nc,-2000,0\nd,2000,1\n"
    logit = evaluate_scores(write(tmp_path / "l.csv", logits), kind="logit")
    for report in (real, logit):
        assert [v.probability for v in report.videos][:2] == pytest.approx(
            [v.probability for v in plain.videos]
        )
    assert [video.probability for video in logit.videos][2:] == [0, 1]


def test_splits_are_selected_and_validation_chooses_the_threshold(tmp_path):
    rows = [
        *((f"v{n}", n / 10, int(n > 2), "val") for n in range(6)),
        *((f"t{n}", n / 10, int(n > 4), "test") for n in range(8)),
    ]
    text = "path,score,label,split\n" + "".join(f"{a},{b},{c},{d}\n" for a, b, c, d in rows)
    table = write(tmp_path / "s.csv", text)
    report = evaluate_scores(table)
    assert len(report.videos) == 8
    assert report.threshold is not None
    assert 0.2 < report.threshold <= 0.3
    assert report.threshold_source == "the best balanced accuracy on the 6 validation videos of this file"
    assert report.groups[0].video["accuracy_at_threshold"].value == pytest.approx(6 / 8)
    with pytest.raises(ManifestError, match="none of its 14 videos is selected; it has split test, val"):
        evaluate_scores(table, selection=Selection(splits=("train",)))
    both = evaluate_scores(table, selection=Selection(splits=("val", "test")))
    assert "chosen on 6 of the evaluated videos themselves" in both.warnings[-1]


def test_without_splits_everything_is_measured(tmp_path):
    table = write(tmp_path / "s.csv", "path,score,label\n" + LINES)
    assert evaluate_scores(table).threshold_source == "this file has no validation videos"
    with pytest.raises(ConfigError, match="has no column split; leave out --split val"):
        evaluate_scores(table, selection=Selection(splits=("val",)))


def test_reversed_and_hard_scores_are_doubted(tmp_path):
    lines = [f"{n},{n / 40},{int(n < 20)}" for n in range(40)]
    (warning,) = evaluate_scores(write(tmp_path / "s.csv", "\n".join(["path,score,label", *lines]))).warnings
    assert "say --score-kind real" in warning
    hard = [f"{n},{int(n > 20)},{int(n > 19)}" for n in range(40)]
    (warning,) = evaluate_scores(write(tmp_path / "h.csv", "\n".join(["path,score,label", *hard]))).warnings
    assert "two different scores only" in warning


def test_deepfakebench_labels_its_frames(tmp_path):
    write_json(tmp_path / "FF.json", faceforensics())
    scores = {r"FaceForensics++\original_sequences\youtube\c23\frames\003": (0.1, 0.3)}
    scores["./FaceForensics++/manipulated_sequences/Deepfakes/c23/frames/000_003"] = (0.9, 0.8)
    lines = [f"{folder}/{n:03}.png,{score}" for folder, its in scores.items() for n, score in enumerate(its)]
    table = write(tmp_path / "s.csv", "\n".join(["path,score", *lines]))
    report = evaluate_scores(table, labels=tmp_path / "FF.json", selection=Selection())
    assert [
        (v.name, v.label, v.manipulation, v.compression, round(v.probability, 9)) for v in report.videos
    ] == [
        ("ffpp/youtube/c23/003", 0, "original", "c23", 0.2),
        ("ffpp/Deepfakes/c23/000_003", 1, "Deepfakes", "c23", 0.85),
    ]
    assert report.videos[1].people == ("ffpp/000", "ffpp/003")
    result = run("--scores", table, "--labels", tmp_path / "FF.json", "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "labels: " in result.output
    stranger = write(tmp_path / "t.csv", "path,score\nelsewhere/1.png,0.5\n")
    with pytest.raises(TextError, match=r"line 2: elsewhere/1\.png is a frame of no video of"):
        evaluate_scores(stranger, labels=tmp_path / "FF.json")


@pytest.mark.slow
def test_files_are_those_of_evaluate_and_compare_reads_them(tmp_path):
    videos = drawn_videos(per_kind=30)
    own = make_report(videos)
    facts = {**own.provenance["checkpoint"], "provenance": {"config": {"seed": 1}}}
    own = replace(own, provenance={**own.provenance, "checkpoint": facts})
    write_files(tmp_path / "ours", {"videos.csv": videos_csv(own), "report.json": report_json(own)})
    header = "corpus,video_id,score,label,method,compression\n"
    rows = [
        f"{v.corpus},{v.video_id},{1 - v.probability},{v.label},{v.manipulation},{v.compression}\n"
        for v in videos
    ]
    table = write(tmp_path / "theirs.csv", header + "".join(rows))
    result = run("--scores", table, "--out", tmp_path / "theirs")
    assert result.exit_code == 0, result.output
    assert "genuine videos score higher than fakes" in result.output
    assert {path.name for path in (tmp_path / "theirs").iterdir()} == {
        *("report.json", "table.md", "videos.csv", "roc.png", "scores.png", "reliability.png")
    }
    document = json.loads((tmp_path / "theirs/report.json").read_text())
    assert document["schema_version"] == "1.1"
    assert document["checkpoint"] is document["manifest"] is document["training"] is None
    assert document["scores"]["kind"] == "fake"
    assert document["groups"][0]["score"]["auc"]["value"] is not None
    assert compare.run([f"ours={tmp_path / 'ours'}", f"theirs={tmp_path / 'theirs'}"], tmp_path / "out") == 0
    with (tmp_path / "out/differences.csv").open(newline="") as file:
        auc = next(line for line in csv.DictReader(file) if line["metric"] == "auc")
    assert auc["conclusion"] == "ours is better"
    assert "different manifests" not in (tmp_path / "out/comparison.md").read_text()


def test_table_is_never_written_over(tmp_path):
    table = write(tmp_path / "videos.csv", "path,score,label\n" + LINES)
    result = run("--scores", table, "--out", tmp_path)
    assert result.exit_code == 2
    assert "is the input" in result.output
    assert table.read_text().endswith(LINES)


def test_options_of_models_are_refused(tmp_path):
    table = write(tmp_path / "s.csv", "path,score,label\n" + LINES)
    out = ["--out", tmp_path / "out"]
    assert "CHECKPOINT is of models" in run("best.safetensors", "--scores", table, *out).output
    assert "--face-rule is of models" in run("--scores", table, "--face-rule", "max", *out).output
    assert "give CHECKPOINT and MANIFEST, or --scores" in run(*out).output
    assert "give CHECKPOINT and MANIFEST, or --scores" in run("best.safetensors", *out).output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no line below its header"),
        ("path,score,label\n", "has no line below its header"),
        ("path,label\na,0\n", "has no column score; its first line must name score, label, path or video"),
        ("score,label\n0.1,0\n", "has no column path or video"),
        ("path,score\na,0.1\n", "has no column label"),
        ("path,score,prob,label\na,0.1,0.1,0\n", "columns 'score' and 'prob' both give the score"),
        (
            "path,score,label\na,2.5,0\n",
            "line 2: score 2.5 is no probability; give 0 to 1, or say --score-kind",
        ),
        ("path,score,label\na,nan,0\n", "line 2: score 'nan' is no number"),
        ("path,score,label\na,inf,0\n", "line 2: score 'inf' is no number"),
        ("path,score,label\na,high,0\n", "line 2: score 'high' is no number"),
        ("path,score,label\na,0.5,0\nb,0.5,maybe\n", "line 3: label 'maybe' is none of"),
        (
            "path,score,label\na,,0\n",
            "line 2: has no score; leave the line out, or say why in a column status",
        ),
        ("path,score,label,status\na,,0,broken\n", "line 2: has no score"),
        ("path,score,label,status\na,,0,no_face\n", "has no line with a score"),
        ("path,score,label\na,0.5,0\na,0.6,0\n", "listed twice"),
        ("path,score,label\n,0.5,0\n", "line 2: names no video"),
        ("video,score,label\na,0.5,0\na,0.6,1\n", "lines 2 and 3 are of video a and differ in label"),
        ("video,score,label,status\na,0.5,0,\na,,0,no_face\n", "some lines have a score, some do not"),
        ("path,score,label\na,0.5,0,more\n", "line 2: has 4 values for 3 columns"),
        ('path,score,label\n"a,0.5,0\n', "has no score"),
        ("path,score,label,corpus\na,0.5,0,../up\n", "corpus '../up' is no name"),
        ("path,score,label,split\na,0.5,0,dev\n", "split 'dev' is none of"),
    ],
)
def test_hostile_tables_end_in_one_line(tmp_path, text, message):
    table = write(tmp_path / "s.csv", text)
    with pytest.raises(DeepfakeError) as caught:
        evaluate_scores(table)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_and_absent_files_end_in_one_line(tmp_path):
    (tmp_path / "s.csv").write_bytes(bytes(range(256)) * 4)
    for path in (tmp_path / "s.csv", tmp_path / "absent.csv", tmp_path):
        result = run("--scores", path, "--out", tmp_path / "out")
        assert result.exit_code == 2
        assert result.output.startswith("error: ")
        assert result.output.count("\n") == 1
    assert not (tmp_path / "out").exists()
