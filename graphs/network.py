"""The network of a circuit: compartments as nodes; synapses, autapses and couplings as edges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..compartments.connectivity import is_autapse
from ..compartments.roles import role_of
from .circuit import Circuit, Population, Synapse
from .expressions.text import text
from .expressions.tree import Expr, Rate, Variable, WeightOf, walk

if TYPE_CHECKING:
    import networkx


def graph(circuit: Circuit) -> networkx.MultiDiGraph:
    """The compartments of a circuit and what joins them.

    Nodes: "layer[1].soma", with `population`, `base`, `index`, `compartment`, `role`, `part`,
    `size` (units) and `variables`.

    Edges carry a `kind`:

    - "synapse" or "autapse" (one to one onto the same population), keyed by the synapse's name,
      from the compartment where the transmitted variable stands to the one that receives it;
      `synapse`, `port`, `variable` (what is transmitted), `connect`, `shape`, `plastic`, `bias`,
      `weight` ("own", or "live": `weight_text`, made of the synapses in `weight_of`).
    - "coupling", inside a cell: an equation of the target compartment reads `variables` of the
      source.
    """
    import networkx

    network = networkx.MultiDiGraph(name=circuit.name)
    for population in circuit.populations.values():
        for compartment in population.compartments:
            network.add_node(
                node_name(population.name, compartment),
                population=population.name,
                base=population.base,
                index=population.index,
                compartment=compartment,
                role=role_of(compartment).name,
                part=role_of(compartment).part,
                size=population.size,
                variables=_variables(population, compartment),
            )
    for population in circuit.populations.values():
        for source, target, variables in _couplings(population):
            network.add_edge(
                node_name(population.name, source),
                node_name(population.name, target),
                key=f"{population.name}: {', '.join(variables)}",
                kind="coupling",
                variables=variables,
            )
    for synapse in circuit.synapses.values():
        _add_synapse(network, circuit, synapse)
    return network


def node_name(population: str, compartment: str) -> str:
    """`layer[1].soma`."""
    return f"{population}.{compartment}"


def home(population: Population, variable: str) -> str | None:
    """The compartment where a variable stands.

    That of its equation; of a variable without one (assigned, slow) the first compartment that
    reads it; None if there is no compartment at all.
    """
    for equation in population.equations:
        if equation.variable == variable:
            return equation.compartment
    for equation in population.equations:
        if variable in _read(population, equation.right):
            return equation.compartment
    return next(iter(population.compartments), None)


def _add_synapse(network: networkx.MultiDiGraph, circuit: Circuit, synapse: Synapse) -> None:
    source, variable = synapse.source
    target, compartment, port = synapse.target
    place = home(circuit.populations[source], variable)
    if place is None:
        return
    shared = () if synapse.weight is None else _weights(synapse.weight)
    network.add_edge(
        node_name(source, place),
        node_name(target, compartment),
        key=synapse.name,
        kind="autapse" if is_autapse(synapse.connect, source, target) else "synapse",
        synapse=synapse.name,
        port=port,
        variable=variable,
        connect=synapse.connect_text,
        shape=synapse.shape,
        plastic=bool(synapse.rule),
        bias=synapse.bias,
        delay=None if synapse.delay is None else text(synapse.delay),
        weight="own" if synapse.weight is None else "live",
        weight_text=None if synapse.weight is None else text(synapse.weight),
        weight_of=shared,
    )


def _weights(expr: Expr) -> tuple[str, ...]:
    return tuple(node.synapse for node in walk(expr) if isinstance(node, WeightOf))


def _variables(population: Population, compartment: str) -> tuple[str, ...]:
    return tuple(e.variable for e in population.equations if e.compartment == compartment)


def _read(population: Population, expr: Expr) -> set[str]:
    return {
        node.name
        for node in walk(expr)
        if isinstance(node, Variable | Rate) and node.population == population.name
    }


def _couplings(population: Population) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Source and target compartment, and the variables that the target reads of the source."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for equation in population.equations:
        for name in sorted(_read(population, equation.right)):
            source = home(population, name)
            if source is not None and equation.compartment not in (None, source):
                assert equation.compartment is not None
                found.setdefault((source, equation.compartment), {})[name] = None
    for (source, target), variables in found.items():
        yield source, target, tuple(variables)
