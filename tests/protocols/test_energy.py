"""Energy of a stretch of time: within the processor's rated power, and nothing without codecarbon."""

import sys
import time

import pytest

from deepfake_ssat.protocols.energy import RAPL, EnergyMeter


@pytest.mark.slow
def test_estimate_keeps_to_the_rated_power():
    if any(RAPL.glob("intel-rapl*")):
        pytest.skip("this machine's processor counts its energy itself")
    began = time.monotonic()
    meter = EnergyMeter("FRA", 20.0)
    while time.monotonic() - began < 1.0:
        sum(range(10_000))
    numbers = meter.stop()
    hours = (time.monotonic() - began) / 3600
    assert 0 < numbers["cpu_kwh"] <= 20.0 * hours / 1000
    assert numbers["kwh"] == pytest.approx(sum(numbers[f"{part}_kwh"] for part in ("cpu", "memory", "gpu")))
    assert 0 < numbers["kg_co2"] < numbers["kwh"]
    assert "not a measurement; electricity of France" in meter.method()


def test_without_codecarbon_there_are_no_numbers(monkeypatch):
    monkeypatch.setitem(sys.modules, "codecarbon", None)
    meter = EnergyMeter("USA", None)
    assert meter.read() == meter.stop() == {}
    assert meter.method() is None
