"""A picture of traces: a panel for each variable, over time or over presentations."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...graphs.wording import listed, meant
from . import panels
from .canvas import SMALL, blank, count_on, finished
from .times import Times, recorded

if TYPE_CHECKING:
    from ..traces import Traces

MOST_LINES = 12  # above so many units a heat map says more than lines
HEIGHT = 1.7  # of a panel, inches


def plot(
    traces: Traces,
    path: str | os.PathLike[str] | None = None,
    kind: str | None = None,
    *,
    names: Sequence[str] | str | None = None,
    sample: int = 0,
    replica: int = 0,
    units: int = MOST_LINES,
) -> Any:
    """One panel per variable; gives a matplotlib figure.

    What was recorded step by step stands over the time of one sample, its phases named; what was
    recorded between presentations below, over their number.

    Args:
        traces: What to draw.
        path: Where to save the picture (its ending says the format), or None.
        kind: "lines", one for each unit; "heatmap", colours over time and unit; "energy", what has
            one number per row, all samples and their mean; "weights", matrices first and last;
            "raster", a tick where a variable is not 0. None: lines, or a heat map where there are
            more than `units`.
        names: Which variables; None: all that `kind` can show.
        sample: Position of the sample shown.
        replica: Position of the replica shown.
        units: At most so many lines of one variable, evenly spaced.

    Raises:
        ImportError: matplotlib is not installed; the message says how to get it.
        ValueError: No such kind, variable, sample or replica, or nothing that the kind can show.
    """
    if kind not in (None, *KINDS):
        raise ValueError(f"kind {kind!r}: expected one of {', '.join(KINDS)}{_near(kind)}")
    for what, position, there in (
        ("sample", sample, traces.sample),
        ("replica", replica, traces.replica),
    ):
        if traces.arrays and not -len(there) <= position < len(there):
            raise ValueError(f"{what}={position}: the traces hold {len(there)} {what}(s), from 0")
    chosen = _chosen(traces, kind, names)
    return finished(KINDS.get(kind or "", _each)(traces, chosen, sample, replica, units), path)


def _near(kind: Any) -> str:
    return meant(kind, KINDS) if isinstance(kind, str) else ""


def _chosen(traces: Traces, kind: str | None, names: Sequence[str] | str | None) -> list[str]:
    """The variables that are drawn: those named, else those that the kind can show."""
    able, needs = ABLE.get(kind or "", (lambda *_: True, ""))
    wanted = [names] if isinstance(names, str) else names
    for name in wanted or ():
        if name not in traces:
            raise ValueError(f"{name!r} was not recorded{meant(name, traces)}")
    found = [name for name in (traces if wanted is None else wanted) if able(traces, name)]
    if kind is not None and (not found or (wanted is not None and len(found) < len(wanted))):
        left = [name for name in (traces if wanted is None else wanted) if name not in found]
        raise ValueError(f"kind {kind!r} draws {needs}; {listed(left) or 'nothing'} is none")
    return found


def _title(traces: Traces, sample: int | None, replica: int) -> str:
    """`pc: train, sample 3, replica 0 (seed 5)`."""
    facts = traces.manifest
    said = [str(facts[key]) for key in ("circuit", "protocol") if facts.get(key)]
    parts = [": ".join(said)] if said else []
    if sample is not None and len(traces.sample):
        parts.append(f"sample {traces.sample[sample]}")
    seed = facts.get("seed")
    if isinstance(seed, list):
        seed = seed[replica] if len(seed) == len(traces.replica) else None
    elif isinstance(seed, int):
        seed += replica % len(traces.replica)
    if len(traces.replica):
        known = "" if seed is None else f" (seed {seed})"
        parts.append(f"replica {traces.replica[replica]}{known}")
    return ", ".join(parts)


def _stack(count: int, title: str) -> tuple[Any, list[Any]]:
    """A figure with `count` panels, one above the other, under a title."""
    figure = blank(0.9 + HEIGHT * max(1, count))
    figure.suptitle(title, fontsize=SMALL + 2, x=0.01, ha="left")
    return figure, list(figure.subplots(max(1, count), 1, squeeze=False)[:, 0])


# --- kinds ----------------------------------------------------------------------------------------


def _each(
    traces: Traces, names: list[str], sample: int, replica: int, units: int, kind: str | None = None
) -> Any:
    """Lines or heat maps: what `kind` says, else what suits the number of units."""
    steps = [name for name in names if name in traces.arrays]
    between = [name for name in names if name in traces.learnt]
    shown = sample if steps else None
    figure, free = _stack(len(names), _title(traces, shown, replica))
    upper, lower = free[: len(steps)], free[len(steps) : len(names)]
    times = Times.of(traces, sample, replica) if steps and len(traces.phases) else None
    for panel, name in zip(upper, steps, strict=True):
        values = traces.arrays[name][replica, sample]
        values = values.reshape(len(values), -1) if values.ndim > 2 else values
        if times is not None and _as_map(values, units, kind):
            panels.heatmap(panel, name, times, values)
        elif times is not None:
            panels.lines(panel, name, times.at, values, units)
    if times is not None:
        panels.over_time(upper, times)
    for panel, name in zip(lower, between, strict=True):
        values = traces.learnt[name][replica].reshape(len(traces.presentation), -1)
        there = recorded(values)  # each record has presentations of its own
        at, values = traces.presentation[there], values[there]
        if len(there) and _as_map(values, units, kind):
            panels.learnt_heatmap(panel, name, at, values)
            what = "connection" if traces.learnt[name].ndim == 4 else "unit"
            panel.set_ylabel(what, fontsize=SMALL + 1)
        else:
            panels.lines(panel, name, at, values, units)
    panels.share(lower, "presentations learnt")
    count_on(lower)
    return figure


def _as_map(values: np.ndarray, units: int, kind: str | None) -> bool:
    count = values.shape[1] if values.ndim > 1 else 1
    return kind == "heatmap" or (kind is None and count > units)


def _lines(*given: Any) -> Any:
    return _each(*given, kind="lines")


def _heatmap(*given: Any) -> Any:
    return _each(*given, kind="heatmap")


def _raster(traces: Traces, names: list[str], sample: int, replica: int, units: int) -> Any:
    figure, free = _stack(len(names), _title(traces, sample, replica))
    times = Times.of(traces, sample, replica)
    begun = traces.phase_step > 0  # what stood before a phase began is no event of it
    for panel, name in zip(free, names, strict=True):
        values = traces.arrays[name][replica, sample] * begun[:, None]
        panels.raster(panel, name, times.at, values)
    panels.over_time(free, times)
    return figure


def _energy(traces: Traces, names: list[str], sample: int, replica: int, units: int) -> Any:
    figure, free = _stack(len(names), _title(traces, None, replica))
    times = Times.of(traces, sample, replica)
    at = np.stack([Times.of(traces, s, replica).at for s in range(len(traces.sample))])
    for panel, name in zip(free, names, strict=True):
        panels.energy(panel, name, at, traces.arrays[name][replica])
    panels.over_time(free, times)
    return figure


def _weights(traces: Traces, names: list[str], sample: int, replica: int, units: int) -> Any:
    figure = blank(0.9 + 1.5 * HEIGHT * len(names))
    figure.suptitle(_title(traces, None, replica), fontsize=SMALL + 2, x=0.01, ha="left")
    rows = figure.subplots(len(names), 2, squeeze=False)
    for row, name in zip(rows, names, strict=True):
        arrays = traces.learnt[name][replica]
        ends = recorded(arrays)[[0, -1]]
        said = [f"{name} after {traces.presentation[k]} presentations" for k in ends]
        panels.weights(row, name, said, [arrays[k] for k in ends])
    return figure


KINDS: Mapping[str, Callable[..., Any]] = {
    "lines": _lines,
    "heatmap": _heatmap,
    "energy": _energy,
    "weights": _weights,
    "raster": _raster,
}


def _has_units(traces: Traces, name: str) -> bool:
    return (traces.arrays[name].ndim > 3) if name in traces.arrays else name in traces.learnt


def _is_one_number(traces: Traces, name: str) -> bool:
    return name in traces.arrays and traces.arrays[name].ndim == 3


def _is_matrix(traces: Traces, name: str) -> bool:
    return name in traces.learnt and traces.learnt[name].ndim == 4


def _is_spikes(traces: Traces, name: str) -> bool:
    """Whether every number recorded of each unit is 0 or 1."""
    array = traces.arrays.get(name)
    if array is None or array.ndim != 4:
        return False
    return bool((np.isnan(array) | (array == 0) | (array == 1)).all())


ABLE: Mapping[str, tuple[Callable[[Traces, str], bool], str]] = {
    "heatmap": (_has_units, "variables of units"),
    "energy": (_is_one_number, "energies, means and norms, recorded at steps"),
    "weights": (_is_matrix, "matrices of weights, recorded as in 'W every 100 presentations'"),
    "raster": (_is_spikes, "variables of units that are 0 or 1, recorded at steps"),
}
