"""Requirements: numbers that cannot be anything, such as a step length or a time constant.

What a number must be is stated once, here, when a circuit is loaded. It is looked at with the
parameter values of the file at load, and with those of each replica at the start of each run.
A number that depends on what a run computes (a state, a stream, the clock) is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..compartments.intervals import Interval
from .diagnostics import Place
from .expressions.constants import NotConstantError, Value, elementwise
from .expressions.tree import Counter, Expr, Parameter, walk

MOST_STEPS = 1000  # of a step length that changes with `step`; of more, so many are looked at

Counters = Mapping[str, float]  # presentation, sample, epoch


@dataclass(frozen=True)
class Requirement:
    """`expression` lies in `range` whenever `protocol` runs (None: when weights are drawn).

    `what` says which number it is and `place` where it stands. `steps` is the number of steps that
    `step` counts; what a phase sets is written out in `expression`, and `setting` says so.
    """

    expression: Expr
    range: Interval
    what: str
    place: Place
    protocol: str | None = None
    steps: Expr | None = None
    setting: str = ""

    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters that decide."""
        found = (n.name for n in walk(self.expression) if isinstance(n, Parameter))
        return tuple(dict.fromkeys(found))

    def counters(self) -> tuple[str, ...]:
        """The counters that decide."""
        return tuple(n.name for n in walk(self.expression) if isinstance(n, Counter))

    def wrong(self, value: Callable[[str], Value], counters: Counters) -> float | None:
        """A number that is not in the range; None if all are, or if it is known only in a run.

        `value` gives parameters by name; `counters` the presentation, sample and epoch.
        """
        try:
            with np.errstate(all="ignore"):
                found = np.asarray(self._numbers(value, counters), dtype=np.float64)
        except NotConstantError:
            return None
        bad = found[~self.range.holds(found)]
        return float(bad[0]) if bad.size else None

    def _numbers(self, value: Callable[[str], Value], counters: Counters) -> np.ndarray:
        known: dict[str, np.ndarray] = {n: np.asarray(float(c)) for n, c in counters.items()}
        if "step" in self.counters() and self.steps is not None:
            count = int(_array(self.steps, value, {}))
            steps = np.unique(np.linspace(0, max(count - 1, 0), min(max(count, 1), MOST_STEPS)))
            known["step"] = np.round(steps)[:, None, None]
        return _array(self.expression, value, known)

    def said(self, number: float, value: Callable[[str], Value]) -> str:
        """`the time constant of 'u' is 0 (tau = 0)`."""
        given = [(name, value(name)) for name in self.parameters()]
        shown = [f"{name} = {v:g}" for name, v in given if not isinstance(v, tuple)]
        shown += [f"{name} = [{', '.join(f'{x:g}' for x in v[:5])}{', ...' * (len(v) > 5)}]"
                  for name, v in given if isinstance(v, tuple)]  # fmt: skip
        reasons = [text for text in (", ".join(shown), self.setting) if text]
        return f"{self.what} is {number:g}" + (f" ({', '.join(reasons)})" if reasons else "")


def _array(
    expr: Expr, value: Callable[[str], Value], counters: Mapping[str, np.ndarray]
) -> np.ndarray:
    """The values over (step, post, pre); axes on which nothing depends are left out or 1."""

    def leaf(node: Expr) -> np.ndarray:
        if isinstance(node, Parameter):
            array = np.asarray(value(node.name), dtype=np.float64)
            return array[:, None] if node.side == "post" and array.ndim else array
        if isinstance(node, Counter) and node.name in counters:
            return counters[node.name]
        raise NotConstantError("this is known only in a run", node)

    try:
        return elementwise(expr, leaf)
    except ValueError:  # lists of several lengths, told elsewhere
        raise NotConstantError("lists of several lengths", expr) from None


def of_run(requirements: tuple[Requirement, ...], protocol: str | None) -> Iterator[Requirement]:
    """Those that hold while a protocol runs; with None, while weights are drawn."""
    return (r for r in requirements if r.protocol == protocol)
