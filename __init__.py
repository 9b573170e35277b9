"""apical: circuits of multi-compartment neurons, from a YAML file to training and traces.

Nothing is imported here until it is used: the public names come through `__getattr__`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .engines.divergence import Divergence
    from .engines.simulation.interruption import Interrupted
    from .engines.simulation.prediction import PredictionWarning
    from .engines.simulation.simulator import Simulator
    from .engines.simulation.sweeps.sweep import Sweep
    from .engines.simulation.weight_warnings import WeightWarning
    from .engines.small_work import SmallWorkWarning
    from .engines.torch.parallel import parallel
    from .graphs.circuit import Circuit
    from .graphs.diagnostics import CircuitError, Diagnostic
    from .graphs.load import load, load_text
    from .graphs.lower import lower
    from .graphs.lowering.precision import PrecisionWarning
    from .graphs.program import Program
    from .graphs.reports.bundled_circuits import circuits
    from .models import tasks
    from .traces.safetensors_file import CheckpointError
    from .traces.traces import Traces

__version__ = "0.1.0"

__all__ = [
    "CheckpointError",
    "Circuit",
    "CircuitError",
    "Diagnostic",
    "Divergence",
    "Interrupted",
    "PrecisionWarning",
    "PredictionWarning",
    "Program",
    "Simulator",
    "SmallWorkWarning",
    "Sweep",
    "Traces",
    "WeightWarning",
    "__version__",
    "circuits",
    "load",
    "load_text",
    "lower",
    "parallel",
    "tasks",
]

_PLACES = {
    "CheckpointError": ".traces.safetensors_file",
    "Circuit": ".graphs.circuit",
    "CircuitError": ".graphs.diagnostics",
    "Diagnostic": ".graphs.diagnostics",
    "Divergence": ".engines.divergence",
    "Interrupted": ".engines.simulation.interruption",
    "PrecisionWarning": ".graphs.lowering.precision",
    "PredictionWarning": ".engines.simulation.prediction",
    "Program": ".graphs.program",
    "Simulator": ".engines.simulation.simulator",
    "SmallWorkWarning": ".engines.small_work",
    "Sweep": ".engines.simulation.sweeps.sweep",
    "Traces": ".traces.traces",
    "WeightWarning": ".engines.simulation.weight_warnings",
    "circuits": ".graphs.reports.bundled_circuits",
    "load": ".graphs.load",
    "load_text": ".graphs.load",
    "lower": ".graphs.lower",
    "parallel": ".engines.torch.parallel",
    "tasks": ".models.tasks",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = import_module(_PLACES[name], __name__)
    value = module if name == "tasks" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
