"""Two different things are never one buffer, whatever they are called."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

import apical
from apical.graphs.buffer import PRINTED, Beside, Made, Quantity
from apical.graphs.circuit import Circuit
from apical.graphs.lowering.buffers import Buffers
from apical.graphs.lowering.refusal import LoweringError

# One name space (told at load): what each name is, with names that look like pieces of others.
OWNERS = {
    "W": "population", "I": "synapse", "d": "population", "pre": "synapse", "each": "energy",
    "xi": "population", "w": "synapse", "t": "energy", "lost": "synapse", "step": "population",
    "a[0]": "population", "a[1]": "synapse", "end": "population", "x": "stream", "n": "stream",
}  # fmt: skip
PARTS = ("I", "W", "s", "p", "w", "x", "each", "lost", "d", "t")
OF = {  # what each kind of thing has
    "population": ("variable", "rate", "latch", "noise", "hold"),
    "synapse": (
        "weight",
        "live weight",
        "connections",
        "delay",
        "delayed",
        "current",
        "sent",
        "trace",
        "trace of each sample",
        "bias column",
    ),
    "energy": ("energy",),
    "stream": ("stream", "signal"),
}
WITH_PARTS = {"variable", "rate", "latch", "noise", "hold", "trace", "trace of each sample"}


@st.composite
def quantities(draw):
    kind = draw(st.sampled_from(("circuit", "parameter", "counter", "draw")))
    if kind != "circuit":
        name = draw(st.sampled_from(("W", "t", "x", "step", "I")))
        part = draw(st.sampled_from(("normal", "uniform"))) if kind == "draw" else ""
        phase = draw(st.sampled_from(("free", "W"))) if kind == "draw" else ""
        return Quantity(kind, name, part, phase)
    owner = draw(st.sampled_from(sorted(OWNERS)))
    what = draw(st.sampled_from(OF[OWNERS[owner]]))
    part = draw(st.sampled_from(PARTS)) if what in WITH_PARTS else ""
    if what == "delay":
        part = draw(st.sampled_from(("line", "head")))
    phase = draw(st.sampled_from(("free", "end", "W"))) if what in ("latch", "noise") else ""
    return Quantity(what, owner, part, phase, draw(st.integers(0, 2)) if what == "noise" else 0)


def beside(inner):
    words = st.sampled_from(("lost", "change", "old", "k0", "each", "start", "end"))
    return st.builds(Beside, inner, words.filter(lambda w: w != "each"))


def made(inner):
    words = st.sampled_from(("mean", "sum", "held", "slope"))
    return st.builds(Made, words, st.tuples(inner), st.integers(0, 3), st.booleans())


IDENTITIES = st.recursive(quantities(), lambda inner: beside(inner) | made(inner), max_leaves=3)


@given(one=IDENTITIES, other=IDENTITIES)
def test_different_things_have_different_names(one, other):
    assert (one == other) == (one.name == other.name)


def test_every_quantity_is_drawn():
    drawn = {what for kinds in OF.values() for what in kinds} | {"parameter", "counter", "draw"}
    of_lines = {"begin draw", "after_step draw", "start draw", "event draw"}  # like "noise"
    assert drawn | of_lines | {"filter", "optimizer"} == set(PRINTED)


def hostile() -> Circuit:
    """A population W with a variable I beside a synapse W with a trace I; `load` refuses it."""
    circuit = apical.load("pc", sizes=[4, 3, 2])
    member = next(iter(circuit.populations.values()))
    synapse = next(iter(circuit.synapses.values()))
    return replace(
        circuit,
        populations={**circuit.populations, "W": replace(member, name="W")},
        synapses={**circuit.synapses, "W": replace(synapse, name="W")},
    )


def test_a_population_and_a_synapse_of_one_name_are_refused_where_they_meet():
    circuit = hostile()
    at = Buffers(circuit)
    assert at.variable("W", "I") != at.arrival(circuit.synapses["W"])
    with pytest.raises(LoweringError, match=r"two things are called W\.I"):
        at.trace(circuit.synapses["W"], "I")


@pytest.mark.parametrize("name", ["pc", "corinfomax", "pem", "urbanczik_senn"])
def test_the_records_say_what_each_operand_is(name):
    circuit = apical.load(name)
    for protocol in circuit.protocols:
        program = apical.lower(circuit, protocol)
        assert all(name == buffer.name for name, buffer in program.buffers.items())
        for phase in program.phases:
            for instruction in phase.instructions:
                assert instruction.reads | instruction.writes <= set(program.buffers)
        things = {*circuit.populations, *circuit.synapses, *circuit.energies, *circuit.streams}
        for buffer in program.buffers.values():
            if buffer.kind in ("state", "slow", "weight", "trace", "stream", "latch"):
                assert buffer.owner in things
            if buffer.kind == "parameter":
                assert buffer.owner in circuit.parameters
