"""A run: one call of `run`, from its streams to what was recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ...traces.recording import Line, recordings
from ...traces.traces import Traces
from ..divergence import Divergence
from ..presentation import Presentations
from .argument_checks import truth, whole
from .chunks import Chunks
from .core import Core
from .interruption import Interrupted, interruption, reached
from .labelling import check_recording, stops, traced
from .progress_bar import progress
from .snapshots import Snapshots
from .streams import check_batch, in_batches, initial_states


def run(
    core: Core,
    given: Mapping[str, Any],
    *,
    protocol: str,
    learn: bool,
    record: Iterable[Line] | Line | None,
    batch: int | None,
    initial: Mapping[str, Any] | None,
    carry: bool,
    first: int | None,
    samples: int | None,
    budget: int,
    facts: Mapping[str, Any] | None,
    ids: np.ndarray | None,
) -> tuple[Traces, dict[str, np.ndarray]]:
    """What `Simulator.run` does; what was recorded, and the steps until each sample stopped.

    ids: The numbers of the samples; None: 0, 1, ...
    """
    learn, carry = truth("learn", learn), truth("carry", carry)
    batch = None if batch is None else whole("batch", batch, 1)
    samples = None if samples is None else whole("samples", samples, 1)
    budget = whole("budget", budget, 0)
    circuit, at = core.settings.circuit, core.state
    records = recordings(record, circuit)
    snapshots = Snapshots(circuit, records)
    executable = core.programs.executable(protocol, learn, records)
    program = executable.program
    streams = core.streams(program, given, samples)
    dtype, replicas = core.settings.dtype, core.settings.replicas
    starts = initial_states(program, {} if initial is None else initial, streams, dtype)
    check_recording(program, streams.total, replicas, dtype, budget)
    said, own = core.facts(protocol, learn=learn, batch=batch, **(facts or {}))
    batch = batch or streams.total
    if ids is not None and np.shape(ids) != (streams.total,):
        ids = None  # no stream was read of the samples that they number
    check_batch(program, streams.total, batch)
    at.counters.check("run", streams.total, batch, carry)
    count = -(-streams.total // batch)
    snapshots.check_budget(at.whole(), learn * count, budget)
    at.counters.begin_at(first, carry)
    done: list[Presentations] = []
    snapshots.take(at.presentation, at.whole())
    try:
        with progress(count, "run") as bar:
            for part in in_batches(streams.places, batch):
                done.append(core.work(part, streams, starts, carry))
                Chunks(core, executable, done[-1], "run", learn, bar, snapshots).present()
    except KeyboardInterrupt:
        message, said = interruption(done, streams.total, batch, learn, said)
        stop = Interrupted(message)
        if (parts := reached(done, len(program.slots))) or snapshots:
            stop.traces = traced(circuit, program, parts, said, own, snapshots, ids)
        raise stop from None
    except Divergence as error:
        if learn:
            core.watch.look(core.weights(), "when it diverged")
        error.traces = traced(circuit, program, done, said, own, snapshots, ids)
        raise
    if learn:
        core.watch.look(core.weights(), f"after presentation {at.presentation}")
    return traced(circuit, program, done, said, own, snapshots, ids), stops(done)
