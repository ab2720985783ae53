"""Electricity and CO₂ of a stretch of time, by codecarbon without network; nothing where it is missing."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

RAPL = Path("/sys/class/powercap")
"""Where Linux shows the counters of Intel's and AMD's processors."""


class EnergyMeter:
    """Counts from its start on, for the whole machine: other programs count as well.

    Without the processor's own counters codecarbon estimates from rated power and load; ``cpu_watts`` gives
    the rated power where its table does not know the processor. Memory is always estimated.
    """

    def __init__(self, country: str, cpu_watts: float | None) -> None:
        self._total: Any = None
        self._tracker: Any = None
        try:
            from codecarbon import OfflineEmissionsTracker
            from codecarbon.output_methods.base_output import BaseOutput
        except ImportError:
            return
        meter = self

        class Keep(BaseOutput):
            def out(self, total: Any, delta: Any) -> None:
                meter._total = total

        logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
        self._tracker = OfflineEmissionsTracker(
            country_iso_code=country,
            output_methods=[],
            output_handlers=[Keep()],
            allow_multiple_runs=True,
            force_cpu_power=cpu_watts,
            log_level="critical",
        )
        self._tracker.start()

    def read(self) -> dict[str, float]:
        """``kwh`` and ``kg_co2`` since the start; empty without codecarbon."""
        if self._tracker is None:
            return {}
        self._tracker.flush()
        return self._numbers()

    def stop(self) -> dict[str, float]:
        """The last reading."""
        if self._tracker is None:
            return {}
        self._tracker.stop()
        return self._numbers()

    def method(self) -> str | None:
        """How the numbers come about; None without codecarbon."""
        if self._tracker is None or self._total is None:
            return None
        total = self._total
        source = (
            "the processor's counters"
            if any(RAPL.glob("intel-rapl*"))
            else "an estimate from rated power and load, not a measurement"
        )
        return (
            f"codecarbon {total.codecarbon_version}, {source}; electricity of {total.country_name}; "
            f"{total.cpu_model}"
        )

    def _numbers(self) -> dict[str, float]:
        if self._total is None:
            return {}
        total = self._total
        return {
            "kwh": total.energy_consumed,
            "kg_co2": total.emissions,
            "cpu_kwh": total.cpu_energy,
            "memory_kwh": total.ram_energy,
            "gpu_kwh": total.gpu_energy,
        }
