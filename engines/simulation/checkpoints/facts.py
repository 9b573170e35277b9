"""The facts of a checkpoint: read from the file, checked, and made into values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any

import numpy as np

from ....graphs.buffer import CLOCK, variable
from ....graphs.circuit import Circuit
from ....graphs.load import rebuild
from ....graphs.lowering.precision import SmallSum
from ....traces.safetensors_file import FORMER, Checkpoint, CheckpointError
from ...registry import ENGINES
from ..argument_checks import numbers, seeds_of, whole
from ..replica_parameters import ReplicaParameters
from ..settings import DTYPES, Settings
from ..training.epoch_position import Position

_FACTS = {"circuit", "engine", "seed", "dtype", "replicas", "given", "counters", "compensate"}
FACTS = _FACTS | {"arrays", "compensated", "draws", "unfinished"}
LARGEST_COUNT = 2**53  # the language counts in float64
FORMER_FACTS = _FACTS - {"compensate"}  # what the first checkpoints said, at least


@contextmanager
def entry(file: Checkpoint, name: str) -> Iterator[None]:
    """Whatever is wrong inside is said of an entry of the file."""
    try:
        yield
    except (CheckpointError, ImportError):
        raise
    except Exception as error:  # a forged file may break anything
        file.refuse(name, str(error) or type(error).__name__)


def checked_facts(file: Checkpoint) -> Mapping[str, Any]:
    """What the file says, each of it of the right kind."""
    facts = file.facts
    needed = FORMER_FACTS if file.format == FORMER else FACTS
    for name in sorted(needed - set(facts)):
        file.refuse(name, "missing among the facts")
    known = _FACTS if file.format == FORMER else FACTS | {"notes"}
    for name in sorted(set(facts) - known):
        file.refuse(name, f"no fact of a checkpoint; there are: {', '.join(sorted(known))}")
    if not isinstance(facts.get("notes", {}), dict):
        file.refuse("notes", f"expected names and values, got {facts['notes']!r:.60}")
    _choice(file, "engine", tuple(ENGINES))
    _choice(file, "dtype", tuple(DTYPES))
    _choice(file, "compensate", (True, False))
    with entry(file, "replicas"):
        replicas = whole("replicas", facts["replicas"], 1)
    for name, array in file.arrays.items():  # before anything is made for each replica
        if not array.ndim or (len(array) != replicas and not (name in CLOCK and len(array) == 1)):
            file.refuse(f"array {name!r}", f"expected {replicas} replicas, got {array.shape}")
    with entry(file, "seed"):
        seeds_of(facts["seed"], replicas)
    counters = facts["counters"]
    if not isinstance(counters, list) or len(counters) != 3:
        file.refuse("counters", f"expected three whole numbers, got {counters!r:.60}")
    for name, number in zip(("presentation", "sample", "epoch"), counters, strict=True):
        with entry(file, "counters"):
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


def without_starts(file: Checkpoint) -> tuple[Checkpoint, dict[str, np.ndarray]]:
    """The file without the arrays that the circuit in it takes from files or Python; and these."""
    circuit = file.facts.get("circuit")
    said = circuit.get("arrays", {}) if isinstance(circuit, dict) else {}
    if not isinstance(said, dict) or not all(isinstance(sha, str) for sha in said.values()):
        file.refuse("circuit, arrays", f"expected names and hashes, got {said!r:.60}")
    for name in said:
        if name not in file.arrays:
            file.refuse(f"array {name!r}", "missing; the circuit starts from it")
    rest = {name: array for name, array in file.arrays.items() if name not in said}
    return replace(file, arrays=rest), {name: file.arrays[name] for name in said}


def circuit_of(file: Checkpoint, starts: Mapping[str, np.ndarray]) -> Circuit:
    """The circuit in the file, which starts from `starts`."""
    given = file.facts["circuit"]
    kinds = {"path": str, "texts": dict, "variants": list, "overrides": dict}
    kinds |= {"arrays": dict} if starts else {}
    if not isinstance(given, dict) or set(given) != set(kinds):
        file.refuse("circuit", f"expected {', '.join(kinds)}, got {given!r:.60}")
    for name, kind in kinds.items():
        if not isinstance(given[name], kind):
            file.refuse(f"circuit, {name}", f"expected a {kind.__name__}, got {given[name]!r:.60}")
    if not all(isinstance(one, str) for one in (*given["texts"].values(), *given["variants"])):
        file.refuse("circuit", "expected texts, and names of variants, got something else")
    with entry(file, "circuit"):
        return rebuild(given, starts)


def parameters_of(file: Checkpoint, settings: Settings) -> ReplicaParameters:
    """The parameter values of each replica."""
    given, circuit = file.facts["given"], settings.circuit
    if not isinstance(given, list) or len(given) != settings.replicas:
        expected = f"expected parameters of {settings.replicas} replicas"
        file.refuse("given", f"{expected}, got {given!r:.60}")
    for own in given:
        if not isinstance(own, dict):
            file.refuse("given", f"expected names and values, got {own!r:.60}")
        for name, value in own.items():
            _check_parameter(file, circuit, name, value)
    made = ReplicaParameters(circuit, settings.seeds)
    made.given = [
        {n: tuple(v) if isinstance(v, list) else v for n, v in own.items()} for own in given
    ]
    return made


def _check_parameter(file: Checkpoint, circuit: Circuit, name: str, value: Any) -> None:
    known, what = circuit.parameters.get(name), f"given, parameter {name!r}"
    if known is None:
        file.refuse(what, f"no such parameter; there are: {', '.join(circuit.parameters)}")
    if known.structural:
        file.refuse(what, "is structural: it cannot differ from the circuit's")
    length = len(known.value) if isinstance(known.value, tuple) else 0
    several = value if isinstance(value, list) else [value]
    right = all(isinstance(v, int | float) and not isinstance(v, bool) for v in several)
    if not right or isinstance(value, list) != bool(length) or len(several) != max(length, 1):
        expected = f"a list of {length} numbers" if length else "a number"
        file.refuse(what, f"expected {expected}, got {value!r:.60}")
    with entry(file, what):
        numbers("its value", several, np.dtype(np.float64))


def small_sum(file: Checkpoint, circuit: Circuit, given: Any) -> SmallSum:
    """A sum that keeps what rounding takes."""
    names = [field.name for field in fields(SmallSum)]
    if not isinstance(given, dict) or sorted(given) != sorted(names):
        file.refuse("compensated", f"expected {', '.join(names)}, got {given!r:.60}")
    populations = circuit.populations.values()
    known = {n for n, s in circuit.synapses.items() if s.weight is None}
    known |= {variable(p.name, v).name for p in populations for v in p.slow}
    if given["name"] not in known:
        file.refuse("compensated", f"no weight or slow variable {given['name']!r:.60}")
    if given["dtype"] not in DTYPES:
        file.refuse("compensated", f"no dtype {given['dtype']!r:.60}")
    for name in ("weight", "change", "spacing"):
        if not isinstance(given[name], int | float) or isinstance(given[name], bool):
            file.refuse("compensated", f"{name}: expected a number, got {given[name]!r:.60}")
    return SmallSum(**given)


def position_of(file: Checkpoint, circuit: Circuit) -> Position | None:
    """An epoch that is unfinished, or None."""
    given = file.facts["unfinished"]
    if given is None:
        return None
    names = [field.name for field in fields(Position)]
    if not isinstance(given, dict) or sorted(given) != sorted(names):
        file.refuse("unfinished", f"expected {', '.join(names)}, got {given!r:.60}")
    if given["protocol"] not in list(circuit.protocols):
        file.refuse("unfinished", f"no protocol {given['protocol']!r:.60}")
    with entry(file, "unfinished"):
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
