"""The parameters of the replicas: what was given, and what derives from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...graphs.buffer import bias_column, connections, parameter
from ...graphs.circuit import Circuit
from ...graphs.expressions.constants import Value, evaluate, of_units
from ...graphs.expressions.tree import UnitPlace
from ..host_draws import of_start
from ..presentation import Arrays
from .argument_checks import numbers
from .array_views import ArrayView


def parameter_values(circuit: Circuit, given: Mapping[str, Any], seed: int) -> dict[str, Value]:
    """Every parameter of one replica: those given, and those drawn or derived from others."""
    found: dict[str, Value] = {}

    def of(name: str) -> Value:
        if name not in found:
            entry = circuit.parameters[name]
            if name in given:
                found[name] = given[name]
            elif isinstance(entry.expression, tuple):
                found[name] = tuple(float(evaluate(e, of)) for e in entry.expression)  # type: ignore[arg-type]
            elif entry.units:
                owner, _, own = name.rpartition(".")
                drawn = of_start(seed, owner, own, entry.expression, entry.units)
                found[name] = of_units(entry.expression, of, entry.units, drawn)
            else:
                found[name] = evaluate(entry.expression, of)
        return found[name]

    return {name: of(name) for name in circuit.parameters}


class ReplicaParameters:
    """Parameter values of replicas with these seeds; `given` holds those not as in the file.

    Raises:
        ValueError: No such parameter, a structural one, or a value of a wrong shape.
    """

    def __init__(self, circuit: Circuit, seeds: Sequence[int]):
        self.circuit, self.seeds, self.replicas = circuit, tuple(seeds), len(seeds)
        self.given: list[dict[str, Any]] = [{} for _ in self.seeds]

    def copied(self) -> ReplicaParameters:
        """The same values, to be changed by themselves."""
        made = ReplicaParameters(self.circuit, self.seeds)
        made.given = [dict(own) for own in self.given]
        return made

    def give(self, name: str, given: Any) -> None:
        """Sets a parameter, or all members of a family, in all replicas."""
        circuit = self.circuit
        if _is_list(circuit, name):
            members = [name]  # its entries follow
        else:
            members = [m for m in circuit.parameters if name in (m, m.partition("[")[0])]
        if not members:
            known = ", ".join(circuit.stated)
            raise ValueError(f"no parameter {name!r}; there are: {known}")
        if _is_list(circuit, name.partition("[")[0]) and "[" in name:
            base = name.partition("[")[0]
            raise ValueError(f"parameter {name!r} is an entry of a list: give the whole {base!r}")
        for member in members:
            entry = circuit.parameters[member]
            if entry.structural:
                raise ValueError(
                    f"parameter {member!r} is structural (it reaches sizes, steps or indices): "
                    f"give it to apical.load(..., {name}=...)"
                )
            if isinstance(entry.expression, UnitPlace):
                raise ValueError(f"parameter {member!r} is where a unit stands; it stays as it is")
            length = len(entry.value) if isinstance(entry.value, tuple) else 0
            for replica in range(self.replicas):
                self.given[replica][member] = _one(member, given, length, replica, self.replicas)

    @property
    def held(self) -> set[str]:
        """The buffers of the `arrays`: what is no state and is not learnt."""
        circuit = self.circuit
        found = {parameter(name).name for name in circuit.parameters}
        found |= {bias_column(name).name for name in circuit.synapses}
        return found | {connections(name).name for name in circuit.synapses}

    @property
    def names(self) -> dict[str, str]:
        """The parameter that each of the `arrays` holds."""
        return {parameter(name).name: name for name in self.circuit.parameters}

    def tables(self) -> list[dict[str, Value]]:
        """Every parameter of each replica."""
        pairs = zip(self.given, self.seeds, strict=True)
        return [parameter_values(self.circuit, given, seed) for given, seed in pairs]

    def arrays(self, dtype: np.dtype) -> Arrays:
        """All parameters as an engine wants them: buffer -> (replica, 1, length)."""
        tables = self.tables()
        found: Arrays = {}
        for synapse in self.circuit.synapses.values():
            if synapse.bias:
                column = np.arange(synapse.shape[1]) == synapse.shape[1] - 1
                rows = np.broadcast_to(column, (self.replicas, 1, len(column)))
                found[bias_column(synapse.name).name] = rows.astype(dtype, order="C")
        for name, entry in self.circuit.parameters.items():
            rows = [np.asarray(t[name], dtype=np.float64).reshape(1, -1) for t in tables]
            wide = np.float64 if not isinstance(entry.value, tuple) else dtype
            found[parameter(name).name] = np.stack(rows).astype(wide)
        return found

    def values(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The value of every parameter, a list of values where replicas differ; and those lists.

        The lists are arrays (replica,) or (replica, entry).
        """
        tables = self.tables()
        found: dict[str, Any] = dict(tables[0])
        own: dict[str, np.ndarray] = {}
        for name in self.circuit.stated:
            if any(table[name] != tables[0][name] for table in tables):
                own[name] = np.array([table[name] for table in tables], dtype=np.float64)
                found[name] = own[name].tolist()
        return {name: found[name] for name in self.circuit.stated}, own


def _is_list(circuit: Circuit, name: str) -> bool:
    """Whether a parameter is a list in the file."""
    return name in circuit.parameters and isinstance(circuit.parameters[name].value, tuple)


def _one(name: str, given: Any, length: int, replica: int, replicas: int) -> Any:
    """What one replica gets of a given parameter value."""
    array = numbers(f"parameter {name!r}", given, np.dtype(np.float64))
    if length:
        if array.shape == (length,):
            return tuple(array.tolist())
        if array.shape == (replicas, length):
            return tuple(array[replica].tolist())
    elif array.ndim == 0:
        return float(array)
    elif array.shape == (replicas,):
        return float(array[replica])
    expected = (
        f"a list of {length}" if length else f"a number, or one for each of {replicas} replicas"
    )
    raise ValueError(f"parameter {name!r}: expected {expected}, got shape {array.shape}")


class ParameterView(ArrayView):
    """Parameters by member name; writing one updates those that derive from it."""

    def __init__(self, parameters: ReplicaParameters, memory: Arrays, dtype: np.dtype):
        super().__init__("parameter", self._now)
        self._parameters, self._memory, self._dtype = parameters, memory, dtype

    def _now(self) -> Arrays:
        stated = self._parameters.circuit.stated
        return {name: self._memory[parameter(name).name][:, 0] for name in stated}

    def __getitem__(self, name: str) -> Any:
        array = self._find(name)
        plain = array[:, 0] if array.shape[1] == 1 else array
        return plain[0] if len(plain) == 1 else plain

    def __setitem__(self, name: str, new: Any) -> None:
        self._parameters.give(name, new)
        self._memory.update(self._parameters.arrays(self._dtype))
