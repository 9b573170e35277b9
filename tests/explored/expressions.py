"""Random expressions of the language whose values stay near 1 where their names' values do."""

from __future__ import annotations

import random

SMOOTH = ("tanh", "logistic", "sin", "cos", "softplus", "identity", "f")
KINKED = ("relu", "abs", "sign", "floor", "round")
PRIMED = ("tanh", "logistic", "relu", "softplus", "sin", "cos", "identity", "f", "g")
NUMBERS = ("0.5", "1", "2", "0.25", "1e-1", "0.75", ".3", "pi/4")


def number(rng: random.Random) -> str:
    return rng.choice(NUMBERS)


def expression(rng: random.Random, names: list[str], depth: int = 2) -> str:
    """Over names and numbers; every operation is followed by one that keeps it small."""
    if depth == 0 or rng.random() < 0.25:
        return rng.choice([*names, *names, number(rng)])
    a, b = (expression(rng, names, depth - 1) for _ in range(2))
    return rng.choice(_FORMS)(rng, a, b)


_FORMS = (
    lambda rng, a, b: f"tanh({a} {rng.choice('+-*')} {b})",
    lambda rng, a, b: f"{rng.choice(SMOOTH)}({a})",
    lambda rng, a, b: f"{rng.choice(SMOOTH)}({a})",
    lambda rng, a, b: f"{rng.choice(KINKED)}({a} - 0.{rng.randint(11, 89)})",
    lambda rng, a, b: f"{rng.choice(PRIMED)}'({a})",
    lambda rng, a, b: f"clip({a}, -1, 0.9)",
    lambda rng, a, b: f"-({a})",
    lambda rng, a, b: f"({a}) / (1 + ({b})^2)",
    lambda rng, a, b: f"{rng.choice(['min', 'max'])}({a}, {b} + 0.0137)",
    lambda rng, a, b: f"exp(-|{a}|)",
    lambda rng, a, b: f"log(1 + ({a})^2)",
    lambda rng, a, b: f"sqrt(1 + ({a})^2)",
    lambda rng, a, b: f"0.5*({a} {rng.choice(['<', '<=', '>', '>=', '!=', '=='])} {b} + 0.0137)",
    lambda rng, a, b: f"where({a} {rng.choice(['<', '>='])} {b} + 0.0137, {a}, sin({b}))",
    lambda rng, a, b: f"g({a})",
    lambda rng, a, b: f"mix({a}, {b})",
    lambda rng, a, b: f"exprel(clip({a}, -1, 1))",
    lambda rng, a, b: f"0.3*({a} - {b}) + 0.1",
)


def reduction(rng: random.Random, inside: str, size: int) -> str:
    """A number of all units, or all of them in proportion."""
    return rng.choice(
        [
            f"sum({inside})/{max(size, 1)}",
            f"mean({inside})",
            f"max({inside})",
            f"norm({inside})/{max(size, 1)}",
            f"softmax({inside})",
        ]
    )
