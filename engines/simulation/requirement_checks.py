"""Demands of a run: numbers that parameters decide are what they must be, in each replica."""

from __future__ import annotations

from collections.abc import Mapping

from ...graphs.circuit import Circuit
from ...graphs.expressions.constants import Value
from ...graphs.requirements import of_run
from .replica_parameters import ReplicaParameters, parameter_values


class Demands:
    """The requirements of a circuit, looked at with the parameters that a run has."""

    def __init__(self, circuit: Circuit):
        self._circuit = circuit
        self._met: set[tuple[object, ...]] = set()

    def check(
        self, parameters: ReplicaParameters, protocol: str | None, counters: Mapping[str, float]
    ) -> None:
        """Looks at what a protocol needs; with None, at what the weights are drawn with.

        Raises:
            ValueError: A number is not what it must be: which one, its line, the parameters.
        """
        asked = list(of_run(self._circuit.requirements, protocol))
        for replica, seed in enumerate(parameters.seeds if asked else ()):
            given = parameters.given[replica]
            values: dict[str, Value] | None = None
            for number, one in enumerate(asked):
                read = tuple(counters[name] for name in one.counters() if name in counters)
                key = (protocol, number, read, seed, repr(sorted(given.items())))
                if key in self._met:
                    continue
                values = values or parameter_values(self._circuit, given, seed)
                wrong = one.wrong(values.__getitem__, counters)
                if wrong is not None:
                    where = f", in replica {replica}" if parameters.replicas > 1 else ""
                    said = one.said(wrong, values.__getitem__)
                    raise ValueError(
                        f"{one.place.path}:{one.place.line}: {said}{where}; expected {one.range}"
                    )
                self._met.add(key)
