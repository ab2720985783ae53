"""preprocess with the real face networks: a face gives clips, a grey picture a line in the ledger."""

import numpy as np

from deepfake_ssat.commands import preprocess
from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.manifest import load_manifest
from tests.portraits import portrait_frames
from tests.videos import write_video


def test_astronaut_is_found_by_the_real_networks(tmp_path):
    frames = portrait_frames(20, size=(160, 200))
    (tmp_path / "corpus/real").mkdir(parents=True)
    write_video(tmp_path / "corpus/real/a.mp4", frames)
    write_video(tmp_path / "corpus/real/grey.mp4", [np.full((96, 96, 3), 128, np.uint8)] * 20)
    settings = ExtractionSettings(crop_size=64)
    assert preprocess.run("folder", tmp_path / "corpus", tmp_path / "out", settings, workers=1) == 0
    manifest = load_manifest(tmp_path / "out")
    (row,) = manifest.rows
    assert (row.video_id, row.num_frames) == ("real/a", 16)
    assert [(video.video_id, video.reason.value) for video in manifest.dropped] == [("real/grey", "no_face")]
