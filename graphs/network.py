"""The network of a circuit: compartments as nodes; synapses, autapses and couplings as edges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..compartments.connectivity import is_autapse
from ..compartments.roles import role_of
from .circuit import Circuit, Population, Synapse
from .expressions.text import text
from .expressions.tree import Expr, Rate, Variable, WeightOf, walk

if TYPE_CHECKING:
    import networkx


def graph(circuit: Circuit) -> networkx.MultiDiGraph:
    """The compartments of a circuit and what joins them.

    Attributes are texts, whole numbers and truth values alone, so that networkx writes GraphML,
    GEXF and GML; lists are texts, "u, r".

    Nodes: "layer[1].soma", with `population`, `base`, `index` (of members of families),
    `compartment`, `role`, `part`, `size` (units) and `variables`.

    Edges carry a `kind`:

    - "synapse" or "autapse" (one to one onto the same population), keyed by the synapse's name,
      from the compartment where the transmitted variable stands to the one that receives it;
      `synapse`, `port` (if it has one), `variable` (what is transmitted), `connect`, `rows` and
      `columns` of the weights (of a row of weights, `columns` alone), `plastic`, `bias`, `live`;
      of live ones `weight_text`, the expression, and `weight_of`, the synapses in it.
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
                compartment=compartment,
                role=role_of(compartment).name,
                part=role_of(compartment).part,
                size=population.size,
                variables=", ".join(_variables(population, compartment)),
                **_stated(index=population.index),
            )
    for population in circuit.populations.values():
        for source, target, variables in _couplings(population):
            network.add_edge(
                node_name(population.name, source),
                node_name(population.name, target),
                key=f"{population.name}: {', '.join(variables)}",
                kind="coupling",
                variables=", ".join(variables),
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
    sides = ("columns", "rows", "in", "out")  # of a kernel all four
    sizes = dict(zip(sides, reversed(synapse.kernel or synapse.shape), strict=False))
    network.add_edge(
        node_name(source, place),
        node_name(target, compartment),
        key=synapse.name,
        kind="autapse" if is_autapse(synapse.connect, source, target) else "synapse",
        synapse=synapse.name,
        variable=variable,
        connect=synapse.connect,
        plastic=bool(synapse.rule),
        bias=synapse.bias,
        live=synapse.weight is not None,
        **sizes,
        **_stated(
            port=port,
            weight_text=text(synapse.weight) if synapse.weight is not None else None,
            weight_of=", ".join(_weights(synapse.weight)) if synapse.weight is not None else None,
        ),
    )


def _stated(**attributes: Any) -> dict[str, Any]:
    """Those that are not None."""
    return {name: value for name, value in attributes.items() if value is not None}


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
