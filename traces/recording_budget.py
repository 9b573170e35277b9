"""What a recording will weigh, asked before the run."""

from __future__ import annotations

from collections.abc import Mapping

from ..graphs.wording import bytes_text

DEFAULT_BUDGET = 2 * 2**30


class BudgetError(ValueError):
    """A recording would need more memory than allowed; the message says what to do."""


def recording_bytes(
    units: Mapping[str, int], *, rows: int, samples: int, replicas: int = 1, itemsize: int = 8
) -> int:
    """Bytes of the arrays: sum over variables of replicas * samples * rows * units * itemsize.

    Args:
        units: Variable -> number of units (1 for energies and reduced variables).
        rows: Rows that some record takes.
        samples: Samples presented.
        replicas: Replicas.
        itemsize: Bytes of a number: 8 for float64, 4 for float32.
    """
    return replicas * samples * rows * itemsize * sum(units.values())


def check_budget(
    units: Mapping[str, int],
    *,
    rows: int,
    samples: int,
    replicas: int = 1,
    itemsize: int = 8,
    budget: int = DEFAULT_BUDGET,
    every: int = 1,
) -> int:
    """The bytes of a recording, where they are within the budget.

    `every`: steps from one row to the next, as now.

    Raises:
        BudgetError: They are not.
    """
    counts = {"rows": rows, "samples": samples, "replicas": replicas, "itemsize": itemsize}
    needed = recording_bytes(units, **counts)
    if needed <= budget:
        return needed
    largest = max(units, key=lambda name: units[name])
    raise BudgetError(
        f"this recording needs {bytes_text(needed)}, the budget is {bytes_text(budget)}: "
        f"{len(units)} variable(s) with {sum(units.values())} unit(s) in all x {rows} rows x "
        f"{samples} sample(s) x {replicas} replica(s) x {itemsize} bytes. "
        f"The largest is {largest} ({units[largest]} units). Record less: "
        f"'{largest} every {every * max(2, -(-needed // budget))} steps', '{largest} mean', "
        f"one phase ('{largest} in PHASE'), fewer variables or fewer samples; or raise the budget"
    )
