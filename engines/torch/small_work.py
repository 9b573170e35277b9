"""Cost: which work this engine is not for, told before it begins.

A call of a torch function takes more than a microsecond, however few numbers it is about (on a
CPU 1.0 us for 5 numbers, 1.4 us for 2,000, 3.1 us for 10,000; no less for a node of a CUDA graph).
A circuit of a few units that learns sample after sample makes tens of calls for each step, where
numba needs a fraction of a microsecond for the whole step.
"""

from __future__ import annotations

import warnings

from ..small_work import SmallWorkWarning
from .plan import Plan

CALL = 1.5e-6  # seconds for one
FEW = 4096  # numbers in a call, up to which it takes no longer
LONG = 60.0  # seconds of a run that are worth a word


def calls(plan: Plan) -> int:
    """Calls of torch functions that one presentation makes, at most."""
    return sum(len(section.tape) * section.times for section in plan.sections)


def warn_of_small_work(plan: Plan, presentations: int) -> None:
    """Warns before a long run of calls that hold few numbers each."""
    layout = plan.layout
    units = max(
        (b.size for b in layout.program.buffers.values() if b.shape[0] == "unit"), default=1
    )
    numbers = layout.replicas * layout.batch * units
    made = calls(plan) * presentations
    if numbers > FEW or made * CALL < LONG:
        return
    warnings.warn(
        f"{layout.program.name}: engine 'torch' makes up to {made:,} calls of about "
        f"{CALL * 1e6:g} us in this run, {made * CALL:,.0f} s, with no more than {numbers:,} "
        f"numbers in each; engine='numba' is for such a circuit, torch for more samples or "
        f"replicas at once",
        SmallWorkWarning,
        stacklevel=2,
    )
