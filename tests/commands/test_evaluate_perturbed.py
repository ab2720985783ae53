"""evaluate --perturb: every kind and level measured once, on clips or source videos; refusals in one line."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from deepfake_ssat.cli import app
from deepfake_ssat.clips.storage import read_frames
from deepfake_ssat.commands import evaluate
from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.errors import ConfigError
from deepfake_ssat.evaluation import perturbed_videos
from deepfake_ssat.evaluation.perturbing import PerturbOptions, perturb_options
from deepfake_ssat.evaluation.source_videos import FacePlace, tracks_of_rows
from deepfake_ssat.faces import extract
from deepfake_ssat.inference.detector import Detector, load_detector
from deepfake_ssat.inference.verdict import unscored_verdict
from deepfake_ssat.models.checkpoint import Decision
from deepfake_ssat.records import FAKE, Status
from deepfake_ssat.video.perturbation import KINDS, LEVELS, Perturbation, generator_for, perturb_clip
from tests.inference.scripted import ScriptedExtraction, face_clip, write_checkpoint
from tests.manifests import TinyVideo, make_manifest, tiny_videos
from tests.videos import coded_frames, write_video

CONTRACT = ExtractionSettings(frames=4, crop_size=32)
FILES = {"json", "md", "csv", "png"}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    videos = [*tiny_videos(3, ["test"]), TinyVideo("unknown/c23/x", None)]
    return make_manifest(tmp_path_factory.mktemp("manifest"), videos, frames=8, clip_frames=4)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(
        tmp_path_factory.mktemp("model") / "best.safetensors",
        contract=CONTRACT,
        decision=Decision(0.6, 0.5, 0.7),
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory, manifest):
    """A source video for every one of the manifest; each shows only its frames' numbers."""
    folder = tmp_path_factory.mktemp("root")
    for row in manifest.rows:
        (folder / row.source).parent.mkdir(parents=True, exist_ok=True)
        write_video(folder / row.source, coded_frames(8))
    return folder


class FromFrames:
    """In place of the face networks: one clip a video, from the pictures that the reader gives."""

    def __init__(self):
        self.videos = 0

    def extract(self, reader, clips=None, log=None):
        self.videos += 1
        return ScriptedExtraction(self._clips(reader), Status.SCORED, "", [])

    @staticmethod
    def _clips(reader):
        pixels = np.stack([frame.rgb()[:32, :32] for frame in list(reader)[:4]])
        boxes = np.tile([10.0, 10.0, 90.0, 90.0], (4, 1))
        yield replace(face_clip(0, 0), pixels=pixels, boxes=boxes)


@pytest.fixture
def faces(monkeypatch):
    extractor = FromFrames()
    monkeypatch.setattr(extract, "FaceExtractor", lambda settings, device: extractor)
    return extractor


def _run(checkpoint, manifest, out, *names, **options):
    perturbing = PerturbOptions(names, options.pop("on", "clips"), tuple(options.pop("roots", ())))
    options |= {"device": "cpu", "threads": 1, "perturbing": perturbing}
    assert evaluate.run(checkpoint, manifest.root, out, **options) == 0
    return json.loads((out / f"perturbed_{perturbing.on}.json").read_text())


def _lines(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def everything(tmp_path_factory, checkpoint, manifest):
    out = tmp_path_factory.mktemp("all")
    return out, _run(checkpoint, manifest, out, "all")


@pytest.mark.slow
def test_all_is_every_kind_at_five_levels_and_the_pictures_as_they_are(everything):
    _, report = everything
    assert [(result["kind"], result["level"]) for result in report["results"]] == [
        ("none", 0),
        *((kind, level) for kind in KINDS for level in LEVELS),
    ]
    for result in report["results"]:
        # Of the videos without a label nothing can be measured.
        assert (result["num_real"], result["num_fake"], result["num_clips"]) == (3, 3, 12)
    assert report["kinds"]["blur"]["values"] == [7, 9, 13, 17, 21]


@pytest.mark.slow
def test_files_stand_beside_the_evaluations(everything):
    out, _ = everything
    assert {f"perturbed_clips.{suffix}" for suffix in FILES} < {path.name for path in out.iterdir()}
    assert (out / "perturbed_clips.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "report.json").is_file()


def test_level_0_is_the_evaluation_itself(everything):
    out, report = everything
    evaluation = json.loads((out / "report.json").read_text())["groups"][0]["video"]
    for name, estimate in report["results"][0]["metrics"].items():
        assert estimate == evaluation[name]
    assert report["threshold"]["value"] == 0.6


def test_table_csv_and_json_say_the_same(everything):
    out, report = everything
    lines = _lines(out / "perturbed_clips.csv")
    assert len(lines) == len(report["results"]) == 1 + 5 * len(KINDS)
    table = (out / "perturbed_clips.md").read_text()
    for line, result in zip(lines, report["results"], strict=True):
        assert (line["perturbation"], int(line["level"])) == (result["kind"], result["level"])
        assert float(line["auc"]) == pytest.approx(result["metrics"]["auc"]["value"], abs=1e-6)
        low, high = (float(line[f"accuracy_at_threshold_{end}"]) for end in ("low", "high"))
        assert f"[{100 * low:.1f}, {100 * high:.1f}]" in table
    assert "kernel side 21" in table
    assert "DeeperForensics-1.0" in table


def test_scores_are_the_detectors_on_perturbed_pixels(everything, checkpoint, manifest):
    out, _ = everything
    detector = load_detector(checkpoint, "cpu")
    line = _lines(out / "perturbed_clips/noise_4.csv")[5]
    first = int(line["first_frame"])
    pixels = read_frames(manifest.root / line["clip_file"], range(first, first + 4))
    perturbation = Perturbation("noise", 4)
    names = (line["corpus"], line["video_id"], line["clip_file"], line["first_frame"])
    noisy = perturb_clip(pixels, perturbation, generator_for(0, perturbation, *names))
    assert float(line["probability"]) == pytest.approx(float(detector.score(noisy[None])[0]), abs=2e-3)


@pytest.mark.slow
def test_killed_run_goes_on_and_ends_with_the_same(everything, checkpoint, manifest, tmp_path, monkeypatch):
    whole, _ = everything
    calls = []
    score = Detector.score

    def dying(self, pixels):
        calls.append(len(pixels))
        if len(calls) > 9:
            raise KeyboardInterrupt
        return score(self, pixels)

    monkeypatch.setattr(Detector, "score", dying)
    with pytest.raises(KeyboardInterrupt):
        _run(checkpoint, manifest, tmp_path, "blur", "jpeg", batch=4)
    # Fourteen clips as they are make four batches, three more finish the first level.
    assert len(_lines(tmp_path / "perturbed_clips/blur_1.csv")) == 12
    assert not (tmp_path / "perturbed_clips.json").exists()
    calls.clear()

    def counting(self, pixels):
        calls.append(len(pixels))
        return score(self, pixels)

    monkeypatch.setattr(Detector, "score", counting)
    _run(checkpoint, manifest, tmp_path, "jpeg", "blur", batch=4)
    assert sum(calls) == 10 * 12 - 12 - 8
    expected = {(line["perturbation"], line["level"]): line for line in _lines(whole / "perturbed_clips.csv")}
    for line in _lines(tmp_path / "perturbed_clips.csv"):
        reference = expected[line["perturbation"], line["level"]]
        assert line["auc"] == reference["auc"]
    calls.clear()
    _run(checkpoint, manifest, tmp_path, "jpeg", "blur", batch=4)
    assert not calls


def test_scores_of_another_seed_are_refused(everything, checkpoint, manifest):
    out, _ = everything
    with pytest.raises(ConfigError, match="another"):
        _run(checkpoint, manifest, out, "noise", seed=1)


@pytest.mark.slow
def test_source_videos_are_perturbed_before_faces_are_found(checkpoint, manifest, root, faces, tmp_path):
    report = _run(checkpoint, manifest, tmp_path, "blocks", on="videos", roots=[str(root)])
    assert [(result["kind"], result["level"]) for result in report["results"]] == [
        ("none", 0),
        *(("blocks", level) for level in LEVELS),
    ]
    assert all((result["num_real"], result["num_fake"]) == (3, 3) for result in report["results"])
    scores = {
        path.stem: json.loads(path.read_text().splitlines()[0])["clips"][0][3]
        for path in (tmp_path / "perturbed_videos").iterdir()
    }
    assert len(set(scores.values())) > 3
    done = faces.videos
    assert done == 6 * 6
    _run(checkpoint, manifest, tmp_path, "blocks", on="videos", roots=[f"tiny={root}"])
    assert faces.videos == done


@pytest.mark.slow
def test_cut_line_of_a_killed_run_is_judged_again(checkpoint, manifest, root, faces, tmp_path):
    first = _run(checkpoint, manifest, tmp_path, "contrast", on="videos", roots=[str(root)])
    file = tmp_path / "perturbed_videos/contrast_5.jsonl"
    file.write_bytes(file.read_bytes()[:-20])
    faces.videos = 0
    assert (
        _run(checkpoint, manifest, tmp_path, "contrast", on="videos", roots=[str(root)])["results"]
        == (first["results"])
    )
    assert faces.videos == 1


@pytest.mark.slow
def test_video_that_loses_its_face_is_counted_with_its_reason(
    checkpoint, manifest, root, faces, tmp_path, monkeypatch
):

    judge = perturbed_videos.judge_source

    def blind(detector, task):
        if task.perturbation == Perturbation("blur", 5) and task.rows[0].video_id.endswith("test1"):
            return unscored_verdict("x.mp4", Status.NO_FACE, ["no face was found"])
        return judge(detector, task)

    monkeypatch.setattr(perturbed_videos, "judge_source", blind)
    report = _run(checkpoint, manifest, tmp_path, "blur", on="videos", roots=[str(root)])
    last = report["results"][-1]
    assert (last["num_real"], last["num_fake"]) == (2, 2)
    assert {video["detail"] for video in last["dropped"]} == {"no face was found"}
    assert [len(result["dropped"]) for result in report["results"]] == [0, 0, 0, 0, 0, 2]
    assert _lines(tmp_path / "perturbed_videos.csv")[-1]["dropped"] == "2"


def test_missing_source_videos_are_named_before_anything_is_scored(checkpoint, manifest, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "empty").mkdir()
    message = r"6 of 6 source videos are missing, such as .*test0.mp4; .*--videos-root"
    with pytest.raises(ConfigError, match=message):
        _run(checkpoint, manifest, out, "all", on="videos", roots=[str(tmp_path / "empty")])
    assert not (out / "clip_scores.csv").exists()


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("nowhere", "nowhere is no folder"),
        ("other=.", "the videos are of tiny, none of 'other'"),
    ],
)
def test_wrong_roots_are_refused(checkpoint, manifest, tmp_path, root, message):
    with pytest.raises(ConfigError, match=message):
        _run(checkpoint, manifest, tmp_path / "out", "blur", on="videos", roots=[root])


@pytest.mark.parametrize(
    ("names", "on", "roots", "message"),
    [
        (["blur,sepia"], "clips", [], "perturbation 'sepia' is not known; use all, or saturation, blocks"),
        (["blur"], "videos", [], "give --videos-root DIR"),
        (["blur"], "clips", ["x"], "add --perturb-on videos"),
        ([], "videos", ["x"], "need --perturb"),
        ([","], "clips", [], "need --perturb"),
    ],
)
def test_options_without_meaning_are_refused(names, on, roots, message):
    with pytest.raises(ConfigError, match=message):
        perturb_options(names, on, roots)


def test_names_come_with_commas_or_repeated_and_in_the_tables_order():
    options = perturb_options(["resize, blur", "noise"], "clips", [])
    assert options is not None
    assert options.kinds == ["blur", "noise", "resize"]
    assert perturb_options([], "clips", []) is None


def test_command_line_refuses_an_unknown_name_in_one_line(tmp_path):
    arguments = ["evaluate", "c.safetensors", str(tmp_path), "--out", str(tmp_path / "o")]
    result = CliRunner().invoke(app, [*arguments, "--perturb", "sepia"])
    assert result.exit_code == 2
    assert result.output.startswith("error: perturbation 'sepia' is not known")
    assert result.output.count("\n") == 1


def test_only_the_changed_face_of_a_fake_counts(manifest):
    row = replace(manifest.rows[0], label=FAKE, num_frames=32, box=(10.0, 10.0, 90.0, 90.0))
    here, there = np.array([15.0, 12, 95, 90]), np.array([200.0, 10, 280, 90])
    places = {
        3: [FacePlace(0, 15, here - 4), FacePlace(16, 31, here + 4)],
        4: [FacePlace(0, 15, there)],
        # At its place, but not at its time.
        5: [FacePlace(64, 79, here)],
    }
    assert tracks_of_rows(places, [row]) == {3}
