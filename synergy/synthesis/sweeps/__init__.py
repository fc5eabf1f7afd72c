"""Which cells of the AR table to train, and in which order; a new sweep is one file and one line.

``SWEEPS`` maps the name of a sweep to its implementation (see `synergy.synthesis.sweeps.base`).
"""

from synergy.synthesis.sweeps.base import Sweep, SweepGoal, known_cells, run_sweep
from synergy.synthesis.sweeps.forecast import Forecast, forecast
from synergy.synthesis.sweeps.full import FullSweep
from synergy.synthesis.sweeps.lazy import LazySweep
from synergy.synthesis.sweeps.scan import ScanSweep

SWEEPS: dict[str, Sweep] = {sweep.name: sweep for sweep in (FullSweep(), ScanSweep(), LazySweep())}

__all__ = ["SWEEPS", "Forecast", "Sweep", "SweepGoal", "forecast", "known_cells", "run_sweep"]
