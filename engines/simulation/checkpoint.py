"""Checkpoints: a simulator as arrays and facts, and back; nothing is taken that does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from typing import Any, TypeVar

import numpy as np

from ...graphs.circuit import Circuit
from ...graphs.load import rebuild
from ...graphs.lowering.phases.timing import reads_time
from ...graphs.lowering.precision import SmallSum
from ...traces.checkpoint import FORMER, Checkpoint, CheckpointError, read, save as write
from ...traces.manifest import plain
from .. import memory
from ..registry import ENGINES, find
from .checkpoint_arrays import check_arrays
from .core import Core
from .counters import Counters, former_counters
from .given import numbers, seeds_of, whole
from .position import Position

Kind = TypeVar("Kind", bound=Core)
DTYPES = ("float64", "float32", "bfloat16")
_FACTS = {"circuit", "engine", "seed", "dtype", "replicas", "given", "counters", "compensate"}
FACTS = _FACTS | {"arrays", "compensated", "draws", "unfinished"}
LARGEST_COUNT = 2**53  # the language counts in float64
FORMER_FACTS = _FACTS - {"compensate"}  # what the first checkpoints said, at least


def save(simulator: Core, path: Any) -> None:
    """Writes weights, state, counters and the circuit to a .safetensors file, whole or not at all.

    Raises:
        ValueError: A number is not finite.
    """
    arrays = {n: a for n, a in simulator._memory.items() if not n.startswith("$")}
    for name, array in arrays.items():
        _check_finite(simulator, name, array)
    source, unfinished = simulator.circuit.source, simulator.unfinished
    facts = {
        "circuit": {
            "path": source.path,
            "texts": dict(source.texts),
            "variants": list(source.variants),
            "overrides": plain(source.overrides),
        },
        "engine": simulator.engine,
        "seed": simulator.seed,
        "compensate": bool(simulator._compensate),
        "compensated": [plain(asdict(one)) for one in simulator.compensated],
        "dtype": simulator.activity,
        "replicas": simulator.replicas,
        "given": simulator._parameters.given,
        "counters": [simulator.presentation, simulator.sample, simulator.epoch],
        "unfinished": None if unfinished is None else asdict(unfinished),
        "arrays": sorted(arrays),
        "draws": simulator.counters.facts(),
    }
    write(path, arrays, facts)


def _check_finite(simulator: Core, name: str, array: np.ndarray) -> None:
    if np.isfinite(array).all():
        return
    place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    number, unit = array[place], place[-1]
    synapse = simulator.circuit.synapses.get(name)
    what = f"{name} of unit {unit}"
    if synapse is not None:
        post = unit if synapse.connection.elementwise else place[1]
        what = f"weight {name} of connection (post {post}, pre {unit})"
    raise ValueError(
        f"{what} is {number}: such a simulator is not saved, since nothing could be learnt from "
        f"there; go on from an earlier checkpoint, with a smaller rate"
    )


def resume(
    kind: type[Kind], path: Any, engine: str | None = None, device: str | None = None
) -> Kind:
    """A simulator that goes on from a file that `save` wrote.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: Something in the file is not as the circuit in it needs it.
    """
    if engine is not None:
        find(engine).check(device, None)
    file = read(path)
    facts = _checked_facts(file)
    circuit = _circuit(file)
    made = kind.__new__(kind)
    with _entry(file, "facts"):
        made._configure(
            circuit,
            engine or facts["engine"],
            facts["seed"],
            facts["dtype"],
            facts["replicas"],
            device,
            facts.get("compensate", True),
        )
    _give_parameters(file, made)
    if file.format == FORMER:
        made._start()  # which sums are compensated follows from the weights that are drawn
    else:
        made.compensated = tuple(_small_sum(file, one, made) for one in facts["compensated"])
        made.unfinished = _position(file, circuit)
        with _entry(file, "draws"):
            made.counters = Counters.of(facts["draws"], made.replicas)
        if made.counters.facts() != facts["draws"]:
            file.refuse("draws", f"expected {made.counters.facts()}, got {facts['draws']}")
    made.presentation, made.sample, made.epoch = facts["counters"]
    check_arrays(file, made)
    if file.intact is False:
        raise CheckpointError(
            f"{file.path}: what is in the file is not what was written (its digest differs); "
            f"it was changed or damaged: go on from another checkpoint"
        )
    for name in [n for n in made._memory if not n.startswith("$")]:
        del made._memory[name]
    made._memory |= {name: memory.copied(a, a.dtype) for name, a in file.arrays.items()}
    if file.format == FORMER:
        made.counters = former_counters(file.arrays, _states(made), made.replicas)
        now = made._memory.pop("#t", None)
        if now is not None and reads_time(circuit):
            made._memory["#t"] = np.array(np.broadcast_to(now, (made.replicas, 1, 1)))
    made._open_views()
    return made


# --- facts ---------------------------------------------------------------------------------------


@contextmanager
def _entry(file: Checkpoint, name: str) -> Iterator[None]:
    """Whatever is wrong inside is said of an entry of the file."""
    try:
        yield
    except (CheckpointError, ImportError):
        raise
    except Exception as error:  # a forged file may break anything
        file.refuse(name, str(error) or type(error).__name__)


def _checked_facts(file: Checkpoint) -> Mapping[str, Any]:
    facts = file.facts
    needed = FORMER_FACTS if file.format == FORMER else FACTS
    for name in sorted(needed - set(facts)):
        file.refuse(name, "missing among the facts")
    known = _FACTS if file.format == FORMER else FACTS
    for name in sorted(set(facts) - known):
        file.refuse(name, f"no fact of a checkpoint; there are: {', '.join(sorted(known))}")
    _choice(file, "engine", tuple(ENGINES))
    _choice(file, "dtype", DTYPES)
    _choice(file, "compensate", (True, False))
    with _entry(file, "replicas"):
        replicas = whole("replicas", facts["replicas"], 1)
    for name, array in file.arrays.items():  # before anything is made for each replica
        if not array.ndim or (len(array) != replicas and not (name[0] == "#" and len(array) == 1)):
            file.refuse(f"array {name!r}", f"expected {replicas} replicas, got {array.shape}")
    with _entry(file, "seed"):
        seeds_of(facts["seed"], replicas)
    counters = facts["counters"]
    if not isinstance(counters, list) or len(counters) != 3:
        file.refuse("counters", f"expected three whole numbers, got {counters!r:.60}")
    for name, number in zip(("presentation", "sample", "epoch"), counters, strict=True):
        with _entry(file, "counters"):
            if whole(name, number, 0) > LARGEST_COUNT:
                raise ValueError(f"{name}: expected at most 2^53, got {number}")
    listed = facts.get("arrays", sorted(file.arrays))
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        file.refuse("arrays", f"expected names, got {listed!r:.60}")
    for name in listed:
        if name not in file.arrays:
            file.refuse(f"array {name!r}", "missing; the facts say that it was saved")
    for name in file.arrays:
        if name not in listed:
            file.refuse(f"array {name!r}", "is there; the facts do not say that it was saved")
    return facts


def _choice(file: Checkpoint, name: str, known: tuple[Any, ...]) -> None:
    value = file.facts.get(name, known[0])
    if not any(value is one or (isinstance(value, str) and value == one) for one in known):
        file.refuse(name, f"expected one of {', '.join(map(str, known))}, got {value!r:.60}")


def _circuit(file: Checkpoint) -> Circuit:
    given = file.facts["circuit"]
    kinds = {"path": str, "texts": dict, "variants": list, "overrides": dict}
    if not isinstance(given, dict) or set(given) != set(kinds):
        file.refuse("circuit", f"expected {', '.join(kinds)}, got {given!r:.60}")
    for name, kind in kinds.items():
        if not isinstance(given[name], kind):
            file.refuse(f"circuit, {name}", f"expected a {kind.__name__}, got {given[name]!r:.60}")
    if not all(isinstance(one, str) for one in (*given["texts"].values(), *given["variants"])):
        file.refuse("circuit", "expected texts, and names of variants, got something else")
    with _entry(file, "circuit"):
        return rebuild(given)


def _give_parameters(file: Checkpoint, made: Core) -> None:
    given, circuit = file.facts["given"], made.circuit
    if not isinstance(given, list) or len(given) != made.replicas:
        file.refuse("given", f"expected parameters of {made.replicas} replicas, got {given!r:.60}")
    for own in given:
        if not isinstance(own, dict):
            file.refuse("given", f"expected names and values, got {own!r:.60}")
        for name, value in own.items():
            _check_parameter(file, circuit, name, value)
    lists = [{n: tuple(v) if isinstance(v, list) else v for n, v in own.items()} for own in given]
    made._parameters.given = lists
    with _entry(file, "given"):
        made._memory |= made._parameters.arrays(made.dtype)
    for name, array in made._memory.items():
        if not np.isfinite(array).all():
            file.refuse("given", f"parameter {name[1:]!r} becomes {array[~np.isfinite(array)][0]}")


def _states(made: Core) -> list[str]:
    """The names of the states of populations and filters."""
    populations = made.circuit.populations.values()
    names = [f"{p.name}.{v}" for p in populations for v in p.states]
    filtered = [s.name for s in made.circuit.synapses.values() if s.filter is not None]
    return names + [f"{name}.{v}" for name in filtered for v in ("s", "p")]


def _check_parameter(file: Checkpoint, circuit: Circuit, name: str, value: Any) -> None:
    entry, what = circuit.parameters.get(name), f"given, parameter {name!r}"
    if entry is None:
        file.refuse(what, f"no such parameter; there are: {', '.join(circuit.parameters)}")
    if entry.structural:
        file.refuse(what, "is structural: it cannot differ from the circuit's")
    length = len(entry.value) if isinstance(entry.value, tuple) else 0
    several = value if isinstance(value, list) else [value]
    right = all(isinstance(v, int | float) and not isinstance(v, bool) for v in several)
    if not right or isinstance(value, list) != bool(length) or len(several) != max(length, 1):
        expected = f"a list of {length} numbers" if length else "a number"
        file.refuse(what, f"expected {expected}, got {value!r:.60}")
    with _entry(file, what):
        numbers("its value", several, np.dtype(np.float64))


def _small_sum(file: Checkpoint, given: Any, made: Core) -> SmallSum:
    names = [field.name for field in fields(SmallSum)]
    if not isinstance(given, dict) or sorted(given) != sorted(names):
        file.refuse("compensated", f"expected {', '.join(names)}, got {given!r:.60}")
    populations = made.circuit.populations.values()
    known = {n for n, s in made.circuit.synapses.items() if s.weight is None}
    known |= {f"{p.name}.{v}" for p in populations for v in p.slow}
    if given["name"] not in known:
        file.refuse("compensated", f"no weight or slow variable {given['name']!r:.60}")
    if given["dtype"] not in DTYPES:
        file.refuse("compensated", f"no dtype {given['dtype']!r:.60}")
    for name in ("weight", "change", "spacing"):
        if not isinstance(given[name], int | float) or isinstance(given[name], bool):
            file.refuse("compensated", f"{name}: expected a number, got {given[name]!r:.60}")
    return SmallSum(**given)


def _position(file: Checkpoint, circuit: Circuit) -> Position | None:
    given = file.facts["unfinished"]
    if given is None:
        return None
    names = [field.name for field in fields(Position)]
    if not isinstance(given, dict) or sorted(given) != sorted(names):
        file.refuse("unfinished", f"expected {', '.join(names)}, got {given!r:.60}")
    if given["protocol"] not in list(circuit.protocols):
        file.refuse("unfinished", f"no protocol {given['protocol']!r:.60}")
    with _entry(file, "unfinished"):
        for name in ("samples", "batch", "done"):
            whole(name, given[name], 1)
    for name in ("shuffle", "carry"):
        if not isinstance(given[name], bool):
            file.refuse("unfinished", f"{name}: expected true or false, got {given[name]!r:.60}")
    if given["streams"] is not None and not isinstance(given["streams"], str):
        file.refuse("unfinished", f"streams: expected a digest, got {given['streams']!r:.60}")
    done, samples, batch = given["done"], given["samples"], given["batch"]
    if done > samples or (done % batch and done != samples):
        file.refuse("unfinished", f"{done} of {samples} samples are no batches of {batch}")
    return Position(**given)
