"""Backends: OpenVINO gives torch's verdicts, from a file that is made once and checked at every start."""

import json
import sys

import jsonschema
import numpy as np
import pytest
import torch

from deepfake_ssat import load_detector
from deepfake_ssat.commands.detect import run
from deepfake_ssat.commands.detection_reports import ReportOptions, command_for
from deepfake_ssat.errors import CheckpointError, ConfigError, OutputError
from deepfake_ssat.faces import extract
from deepfake_ssat.inference import onnx_export
from deepfake_ssat.inference.backends import OpenVinoScorer, make_scorer
from deepfake_ssat.inference.extras import import_openvino
from tests.inference.exported import checkpoint_file, checkpoint_in, exported, fill_cache
from tests.inference.scripted import ScriptedExtractor, face_clip
from tests.models.tiny import VIDEO
from tests.pages import DOCS
from tests.videos import write_video

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

CPU = torch.device("cpu")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The user's cache folder, where OpenVINO is installed."""
    try:
        # ``importorskip`` would import it with its reporter.
        import_openvino()
    except ImportError:
        pytest.skip("openvino is not installed")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def faces(monkeypatch):
    clips = [face_clip(track, start) for start in (0, 4, 8) for track in (0, 1)]
    monkeypatch.setattr(extract, "FaceExtractor", ScriptedExtractor(clips))


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "video.mp4", [np.zeros((64, 64, 3), np.uint8)] * 4)


@pytest.mark.slow
@pytest.mark.usefixtures("faces")
def test_openvino_gives_torchs_verdict(tmp_path, cache, video):
    checkpoint = checkpoint_file(tmp_path)
    fill_cache(cache, checkpoint_in(tmp_path))
    expected = load_detector(checkpoint, "cpu").detect(video)
    detector = load_detector(checkpoint, backend="openvino")
    verdict = detector.detect(video)
    assert (detector.scorer.name, detector.device) == ("openvino", CPU)
    assert verdict.verdict is expected.verdict
    assert verdict.probability == pytest.approx(expected.probability, abs=0.01)
    scores = [[clip.probability for clip in one.clips] for one in (verdict, expected)]
    np.testing.assert_allclose(*scores, atol=0.02)
    assert np.ptp(scores) > 0.1


@pytest.mark.slow
def test_openvino_scores_batches_of_any_size(tmp_path, cache):
    checkpoint = checkpoint_in(tmp_path)
    fill_cache(cache, checkpoint)
    scorer = OpenVinoScorer(checkpoint, CPU)
    pixels = np.stack([face_clip(0, start).pixels for start in range(5)])
    together = scorer.score(torch.from_numpy(pixels))
    assert (together.shape, together.dtype) == ((5,), np.float32)
    np.testing.assert_allclose(together, [scorer.score(clip[None])[0] for clip in pixels], atol=0.01)


@pytest.mark.slow
@pytest.mark.usefixtures("faces")
def test_explaining_takes_openvinos_scores_and_torchs_maps(tmp_path, cache, video):
    checkpoint = checkpoint_file(tmp_path)
    fill_cache(cache, checkpoint_in(tmp_path))
    detector = load_detector(checkpoint, backend="openvino", decoder=True)
    explanation = detector.explain(video, num_clips=1)
    assert explanation.verdict == detector.detect(video)
    assert explanation.clips[0].evidence.shape == VIDEO.grid
    assert explanation.clips[0].reconstruction_error is not None
    options = ReportOptions(clips=4)
    assert "--backend openvino" in command_for(video, detector, tmp_path / "report.html", options)


@pytest.mark.slow
@pytest.mark.usefixtures("faces")
def test_document_says_which_backend_judged(tmp_path, cache, video):
    fill_cache(cache, checkpoint_in(tmp_path))
    schema = json.loads((DOCS / "detect.schema.json").read_text())
    for backend in ("torch", "openvino"):
        out = tmp_path / f"{backend}.json"
        assert run([video], checkpoint_file(tmp_path), out, device="cpu", backend=backend) == 0
        document = json.loads(out.read_text())
        jsonschema.validate(document, schema)
        assert document["settings"]["backend"] == backend


@pytest.fixture
def made(monkeypatch):
    """The forms that were made, each of no time: the same as ``exported``."""
    forms = []

    class Form:
        def SerializeToString(self):
            forms.append(1)
            return exported()[0]

    monkeypatch.setattr(onnx_export, "onnx_model", lambda checkpoint: Form())
    return forms


@pytest.mark.slow
def test_onnx_form_is_made_once(tmp_path, cache, made):
    checkpoint = checkpoint_in(tmp_path)
    OpenVinoScorer(checkpoint, CPU)
    OpenVinoScorer(checkpoint, CPU)
    assert made == [1]


def test_damaged_form_in_the_cache_is_named(tmp_path, cache):
    checkpoint = checkpoint_in(tmp_path)
    path = fill_cache(cache, checkpoint, exported()[0][:5000])
    with pytest.raises(CheckpointError, match="OpenVINO cannot use it") as caught:
        OpenVinoScorer(checkpoint, CPU)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_form_that_computes_something_else_is_refused(tmp_path, cache):
    model = onnx.load_from_string(exported()[0])
    weights = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    weights.raw_data = np.frombuffer(weights.raw_data, np.float32)[::-1].tobytes()
    checkpoint = checkpoint_in(tmp_path)
    fill_cache(cache, checkpoint, model.SerializeToString())
    with pytest.raises(CheckpointError, match="OpenVINO differs from torch"):
        OpenVinoScorer(checkpoint, CPU)


@pytest.mark.usefixtures("made")
def test_cache_that_cannot_be_written_is_refused(tmp_path, cache):
    cache.write_text("a file")
    with pytest.raises(OutputError, match="set XDG_CACHE_HOME"):
        OpenVinoScorer(checkpoint_in(tmp_path), CPU)


@pytest.mark.usefixtures("cache")
def test_openvino_is_imported_without_its_reporter():
    assert "openvino" in sys.modules
    assert sys.modules["openvino_telemetry"] is None


def test_backends_that_cannot_be_used_are_refused(tmp_path):
    checkpoint = checkpoint_in(tmp_path)
    with pytest.raises(ConfigError, match="choose torch or openvino"):
        make_scorer("magic", checkpoint, CPU)
    with pytest.raises(ConfigError, match="openvino runs on the CPU, device is cuda"):
        make_scorer("openvino", checkpoint, torch.device("cuda"))
