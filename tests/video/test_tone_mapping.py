"""HDR becomes what an SDR screen shows, by the equations of the standards."""

import numpy as np
import pytest

from deepfake_ssat.video import open_video
from deepfake_ssat.video.tone_mapping import HLG, PQ, hlg_scene_light, pq_light, to_rec709
from tests.video.shown_files import write_hdr
from tests.videos import coded_frames, write_video

BT2020, BT709 = 9, 1


def pq_signal(light):
    """cd/m² -> signal (SMPTE ST 2084, equation 5.2)."""
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    power = (np.asarray(light, float) / 10000) ** m1
    return ((c1 + c2 * power) / (1 + c3 * power)) ** m2


def hlg_signal(scene):
    """Scene light in [0, 1] -> signal (BT.2100, table 5)."""
    scene = np.asarray(scene, float)
    a, b = 0.17883277, 0.28466892
    c = 0.5 - a * np.log(4 * a)
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)


def grey(signal):
    return np.full((2, 2, 3), round(signal * 65535), np.uint16)


@pytest.mark.parametrize(("signal", "light"), [(0.508078, 100), (0.580689, 203), (0.751827, 1000), (1, 1e4)])
def test_pq_light_is_that_of_the_standard(signal, light):
    assert pq_light(np.array(signal)) == pytest.approx(light, rel=1e-4)


@pytest.mark.parametrize(("signal", "scene"), [(0.5, 1 / 12), (0.75, 0.26496), (1.0, 1.0)])
def test_hlg_scene_light_is_that_of_the_standard(signal, scene):
    assert hlg_scene_light(np.array(signal)) == pytest.approx(scene, rel=1e-3)


@pytest.mark.parametrize("light", [5, 20, 50, 100, 150])
def test_light_below_the_shoulder_stays_as_it_is(light):
    expected = 255 * (light / 203) ** (1 / 2.4)
    assert to_rec709(grey(pq_signal(light)), PQ, BT2020) == pytest.approx(expected, abs=1)
    scene = (light / 1000) ** (1 / 1.2)
    assert to_rec709(grey(hlg_signal(scene)), HLG, BT2020) == pytest.approx(expected, abs=1)


def test_highlights_are_compressed_and_never_clipped_below_the_peak():
    lights = (150, 203, 400, 700, 1000)
    levels = [int(to_rec709(grey(pq_signal(light)), PQ, BT2020)[0, 0, 0]) for light in lights]
    assert levels == sorted(set(levels))
    assert 240 < levels[1] < 250
    assert levels[-1] == 255


def bt2020_codes(picture, transfer):
    """(H, W, 3) linear light of BT.709 on a display, 1.0 being 203 cd/m² -> (3, H, W) 10-bit Y'CbCr codes."""
    to_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
    display = picture @ to_2020.T * 203
    if transfer == PQ:
        signal = pq_signal(display)
    else:
        luminance = display @ [0.2627, 0.678, 0.0593] / 1000
        signal = hlg_signal(display / 1000 * (luminance ** (1 / 1.2 - 1))[..., None])
    luma = signal @ [0.2627, 0.678, 0.0593]
    blue, red = (signal[..., 2] - luma) / 1.8814, (signal[..., 0] - luma) / 1.4746
    return np.stack([64 + 876 * luma, 512 + 896 * blue, 512 + 896 * red]).round().astype(np.uint16)


@pytest.mark.parametrize(("transfer", "name"), [(PQ, "PQ"), (HLG, "HLG")])
def test_hdr_video_looks_like_the_same_scene_in_sdr(tmp_path, transfer, name):
    random = np.random.default_rng(0)
    sdr = np.repeat(np.repeat(random.integers(40, 210, (4, 6, 3)), 16, axis=0), 16, axis=1)
    path = write_hdr(tmp_path / "a.mkv", bt2020_codes((sdr / 255) ** 2.4, transfer), transfer)
    with open_video(path) as reader:
        pixels = [frame.rgb() for frame in reader]
    assert np.abs(pixels[0].astype(int) - sdr).max() <= 4
    assert reader.warnings == [f"HDR video ({name}): it was tone-mapped to Rec. 709"]


def test_ordinary_video_is_not_tone_mapped(tmp_path):
    with open_video(write_video(tmp_path / "a.mp4", coded_frames(3))) as reader:
        list(reader)
    assert reader.warnings == []
