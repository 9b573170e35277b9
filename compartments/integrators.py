"""Integrators as data: Butcher tableaux; the algorithm stands once, in the lowering."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Tableau:
    """An explicit Runge-Kutta method for x' = f(t, x).

        k_s = f(t + c_s dt, x + dt sum_j a_sj k_j)        x := x + dt sum_s b_s k_s

    `exponential`: each state moves by exprel(a dt) dt f with a its own slope df/dx (see `slopes`)
    and exprel(z) = (e^z - 1)/z: exact where f is linear in x and the rest constant over the step.
    """

    name: str
    order: int
    a: tuple[tuple[float, ...], ...]
    b: tuple[float, ...]
    c: tuple[float, ...]
    exponential: bool = False


_TABLE = (
    Tableau("euler", 1, ((),), (1.0,), (0.0,)),
    Tableau("heun", 2, ((), (1.0,)), (0.5, 0.5), (0.0, 1.0)),
    Tableau(
        "rk4",
        4,
        ((), (0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)),
        (1 / 6, 1 / 3, 1 / 3, 1 / 6),
        (0.0, 0.5, 0.5, 1.0),
    ),
    Tableau("exponential_euler", 1, ((),), (1.0,), (0.0,), exponential=True),
)
DEFAULT_METHOD = "euler"
LATER = ("rk45", "midpoint", "implicit_euler", "adams_bashforth")  # reserved words

TABLEAUX: Mapping[str, Tableau] = MappingProxyType({t.name: t for t in _TABLE})
