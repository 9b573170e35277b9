"""Roles of compartments: names that are drawn and audited as such.

A compartment whose name is none of these is a plain dendrite. A role changes no equation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Role:
    """What a compartment of this name stands for.

    A drawing puts it `upward` of the soma or below; `from_above`: it hears populations above.
    """

    name: str
    part: str  # soma | dendrite | axon
    description: str
    upward: bool = False
    from_above: bool = False


_TABLE = (
    Role("soma", "soma", "integrates the dendrites; carries the membrane potential and the rate"),
    Role("basal", "dendrite", "basal dendrite: feed-forward input, a prediction from below"),
    Role(
        "apical",
        "dendrite",
        "apical dendrite: feedback input, a teaching signal from above",
        upward=True,
        from_above=True,
    ),
    Role("axon", "axon", "output: what the cell sends, where it is not the soma's own rate"),
    Role("dendrite", "dendrite", "a dendrite without a special place"),
    Role(
        "lateral",
        "dendrite",
        "receives from cells of the same population, directly or relayed",
        upward=True,
    ),
    Role(
        "feedback",
        "dendrite",
        "receives from populations above, apart from the apical dendrite",
        upward=True,
        from_above=True,
    ),
    Role("error", "dendrite", "compares a prediction with the cell's own activity"),
)

ROLES: Mapping[str, Role] = MappingProxyType({role.name: role for role in _TABLE})


def role_of(compartment: str) -> Role:
    """The role of a compartment by its name; a name that is no role is a dendrite."""
    return ROLES.get(compartment, ROLES["dendrite"])
