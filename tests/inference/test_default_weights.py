"""The weights in the package: small, whole, and able to tell a crude swap from the clip it was made of."""

import json

import pytest
from make_demo_videos import SEED, face_video, write_video

from deepfake_ssat.inference.default_weights import DEFAULT_WEIGHTS
from deepfake_ssat.inference.description import checkpoint_record
from deepfake_ssat.inference.detector import load_detector
from deepfake_ssat.records import Status, Verdict


def test_packaged_weights_are_small_and_say_what_they_are():
    assert DEFAULT_WEIGHTS.stat().st_size < 50e6
    checkpoint = load_detector(device="cpu").checkpoint
    assert checkpoint.decision.calibration is not None
    assert "FaceForensics++" in checkpoint.provenance["model card"]["trained on"]
    assert checkpoint.decision.calibration.elsewhere is not None
    assert checkpoint.require_contract().frames == checkpoint.settings.frames == 16


def test_packaged_weights_keep_their_decoder_for_error_maps():
    assert load_detector(device="cpu", decoder=True).checkpoint.model.autoencoder() is not None


def test_what_is_told_of_a_checkpoint_leaves_the_people_it_has_seen_out():
    detector = load_detector(device="cpu")
    assert len(detector.checkpoint.provenance["seen"]["train"]) > 1000
    assert len(json.dumps(checkpoint_record(detector))) < 20_000


@pytest.mark.slow
def test_packaged_weights_find_a_crude_swap(tmp_path):
    detector = load_detector(device="cpu")
    verdicts = {}
    for manipulated in (False, True):
        path = tmp_path / f"{manipulated}.mp4"
        write_video(path, face_video(SEED, manipulated=manipulated, num_frames=24))
        verdicts[manipulated] = detector.detect(path)
        assert verdicts[manipulated].status is Status.SCORED
    assert verdicts[True].verdict is Verdict.FAKE
    assert verdicts[False].verdict is not Verdict.FAKE
    assert verdicts[True].probability > verdicts[False].probability + 0.2
