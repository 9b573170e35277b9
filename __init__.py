"""apical: circuits of multi-compartment neurons, from a YAML file to training and traces.

Nothing is imported here until it is used: the public names come through `__getattr__`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .engines.divergence import Divergence
    from .engines.simulation.interruption import Interrupted
    from .engines.simulation.simulator import Simulator
    from .engines.simulation.sweep import Sweep
    from .graphs.circuit import Circuit
    from .graphs.diagnostics import CircuitError, Diagnostic
    from .graphs.load import load, load_text
    from .graphs.lower import lower
    from .graphs.program import Program
    from .models import tasks
    from .traces.checkpoint import CheckpointError
    from .traces.traces import Traces

__version__ = "0.1.0"

__all__ = [
    "CheckpointError",
    "Circuit",
    "CircuitError",
    "Diagnostic",
    "Divergence",
    "Interrupted",
    "Program",
    "Simulator",
    "Sweep",
    "Traces",
    "__version__",
    "load",
    "load_text",
    "lower",
    "tasks",
]

_PLACES = {
    "CheckpointError": ".traces.checkpoint",
    "Circuit": ".graphs.circuit",
    "CircuitError": ".graphs.diagnostics",
    "Diagnostic": ".graphs.diagnostics",
    "Divergence": ".engines.divergence",
    "Interrupted": ".engines.simulation.interruption",
    "Program": ".graphs.program",
    "Simulator": ".engines.simulation.simulator",
    "Sweep": ".engines.simulation.sweep",
    "Traces": ".traces.traces",
    "load": ".graphs.load",
    "load_text": ".graphs.load",
    "lower": ".graphs.lower",
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
    return sorted({*globals(), *__all__})
