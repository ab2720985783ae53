"""HDR pictures (PQ and HLG, ITU-R BT.2100) as an SDR screen shows them: Rec. 709, display gamma 2.4.

H W pixels. "Linear" is light on the display, 1.0 being the 203 cd/m² of reference white (ITU-R BT.2408),
which becomes SDR's white; what is brighter is compressed into a shoulder below it.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorTrc

PQ, HLG = int(ColorTrc.SMPTE2084), int(ColorTrc.ARIB_STD_B67)
HDR_NAMES = {PQ: "PQ", HLG: "HLG"}
REFERENCE_WHITE = 203.0
"""In cd/m² (BT.2408, table 1)."""
PEAK = 1000.0
"""Of the display that HLG is shown on, in cd/m²; PQ that is brighter is clipped by the shoulder's end."""
SHOULDER = 0.8
"""Linear light up to which nothing changes: faces lie below."""
HLG_GAMMA = 1.2
"""System gamma of a display of 1000 cd/m² (BT.2100, table 5)."""
SDR_GAMMA = 2.4
"""ITU-R BT.1886."""
BT2020_LUMA = np.array([0.2627, 0.678, 0.0593], np.float32)
BT2020_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
"""ITU-R BT.2087."""
_STEPS = 4096
"""Of the table from the square root of linear light to SDR code values."""


def is_hdr(transfer: int) -> bool:
    """Whether pictures of this transfer characteristic (ITU-T H.273) need tone mapping."""
    return transfer in HDR_NAMES


def to_rec709(pixels: np.ndarray, transfer: int, primaries: int) -> np.ndarray:
    """(H, W, 3) uint16 R'G'B' of the full range -> (H, W, 3) uint8 R'G'B' of Rec. 709."""
    linear = np.take(_linear_table(transfer), pixels)
    if transfer == HLG:
        luminance = np.maximum(cv2.transform(linear, BT2020_LUMA[None]), 1e-6)
        linear *= cv2.pow(luminance, HLG_GAMMA - 1.0)[..., None] * np.float32(PEAK / REFERENCE_WHITE)
    if primaries != ColorPrimaries.BT709:
        linear = cv2.transform(linear, BT2020_TO_BT709)
    brightest = linear.max(axis=2)
    if brightest.max() > SHOULDER:
        linear *= (_compressed(brightest) / np.maximum(brightest, 1e-6))[..., None]
    steps = cv2.sqrt(np.clip(linear, 0.0, 1.0)) * (_STEPS - 1) + 0.5
    return np.take(_code_table(), steps.astype(np.uint16))


def _compressed(light: np.ndarray) -> np.ndarray:
    """Linear light -> at most 1: as it is up to the shoulder, then ever flatter up to the peak.

    Reinhard's curve with a white point, begun at the shoulder, where its slope is 1.
    """
    room = 1.0 - SHOULDER
    peak = (PEAK / REFERENCE_WHITE - SHOULDER) / room
    above = np.clip((light - SHOULDER) / room, 0.0, peak)
    return np.where(light <= SHOULDER, light, SHOULDER + room * above * (1 + above / peak**2) / (1 + above))


@cache
def _linear_table(transfer: int) -> np.ndarray:
    """(65536,) float32: light of each code value; of HLG scene light, before the system gamma."""
    signal = np.arange(65536) / 65535
    light = pq_light(signal) / REFERENCE_WHITE if transfer == PQ else hlg_scene_light(signal)
    return light.astype(np.float32)


@cache
def _code_table() -> np.ndarray:
    """(_STEPS,) uint8: SDR code value of each square root of linear light."""
    light = (np.arange(_STEPS) / (_STEPS - 1)) ** 2
    return np.round(255 * light ** (1 / SDR_GAMMA)).astype(np.uint8)


def pq_light(signal: np.ndarray) -> np.ndarray:
    """Signal in [0, 1] -> cd/m² (SMPTE ST 2084)."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    root = signal ** (1 / m2)
    return 10_000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)


def hlg_scene_light(signal: np.ndarray) -> np.ndarray:
    """Signal in [0, 1] -> scene light in [0, 1] (BT.2100, table 5: the inverse OETF)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
