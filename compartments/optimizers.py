"""Update rules: how the change that a rule asks for becomes a change of the weight.

Statements are in the circuit language, one after another, over

    w   the weight (elementwise, shape of the weight array, bias column included)
    g   the change of the rule, averaged or summed over the samples (ascent: plain is w := w + lr*g)

and the rule's own states and parameters. `mean(E)` is the mean over all elements of the weight
array. Scalar states are one number per weight array. All states persist over presentations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from .intervals import FRACTION, NOT_NEGATIVE, POSITIVE, SHARE, Interval


@dataclass(frozen=True)
class UpdateRule:
    """One optimizer, as data.

    `parameters` maps names, in the order of the arguments, to defaults (None: required). `states`
    (per weight) and `scalars` map names to their start, an expression over the parameters.
    `ranges` says what each parameter may be.
    """

    name: str
    parameters: Mapping[str, float | None]
    statements: tuple[str, ...]
    ranges: Mapping[str, Interval]
    states: Mapping[str, str] = field(default_factory=dict)
    scalars: Mapping[str, str] = field(default_factory=dict)
    text: str = ""

    @property
    def plain(self) -> bool:
        """Whether a change depends on no earlier one."""
        return not self.states and not self.scalars


RATE = Interval(0, example=0.01)

_TABLE = (
    UpdateRule(
        name="sgd",
        parameters={"lr": 1.0},
        statements=("w := w + lr*g",),
        ranges={"lr": RATE},
        text="plain step",
    ),
    UpdateRule(
        name="momentum",
        parameters={"lr": None, "mu": 0.9},
        states={"v": "0"},
        statements=("v := mu*v + g", "w := w + lr*v"),
        ranges={"lr": RATE, "mu": FRACTION},
        text="heavy ball, as torch.optim.SGD(momentum=mu); Polyak 1964",
    ),
    UpdateRule(
        name="nesterov",
        parameters={"lr": None, "mu": 0.9},
        states={"v": "0"},
        statements=("v := mu*v + g", "w := w + lr*(g + mu*v)"),
        ranges={"lr": RATE, "mu": FRACTION},
        text="as torch.optim.SGD(momentum=mu, nesterov=True); Sutskever et al. 2013",
    ),
    UpdateRule(
        name="adam",
        parameters={"lr": None, "b1": 0.9, "b2": 0.999, "eps": 1e-8},
        states={"m": "0", "v": "0"},
        scalars={"n": "0"},
        statements=(
            "n := n + 1",
            "m := b1*m + (1 - b1)*g",
            "v := b2*v + (1 - b2)*g^2",
            "w := w + lr/(1 - b1^n) * m / (sqrt(v)/sqrt(1 - b2^n) + eps)",
        ),
        ranges={"lr": RATE, "b1": FRACTION, "b2": FRACTION, "eps": POSITIVE},
        text="as torch.optim.Adam; Kingma & Ba 2015, algorithm 1",
    ),
    UpdateRule(
        name="adamw",
        parameters={"lr": None, "decay": 0.01, "b1": 0.9, "b2": 0.999, "eps": 1e-8},
        states={"m": "0", "v": "0"},
        scalars={"n": "0"},
        statements=(
            "n := n + 1",
            "m := b1*m + (1 - b1)*g",
            "v := b2*v + (1 - b2)*g^2",
            "w := w - lr*decay*w + lr/(1 - b1^n) * m / (sqrt(v)/sqrt(1 - b2^n) + eps)",
        ),
        ranges={"lr": RATE, "decay": RATE, "b1": FRACTION, "b2": FRACTION, "eps": POSITIVE},
        text="adam, and each step takes lr*decay of the weight, as torch.optim.AdamW; "
        "Loshchilov & Hutter 2019, algorithm 2",
    ),
    UpdateRule(
        name="rmsprop",
        parameters={"lr": None, "rho": 0.99, "eps": 1e-8},
        states={"v": "0"},
        statements=("v := rho*v + (1 - rho)*g^2", "w := w + lr*g/(sqrt(v) + eps)"),
        ranges={"lr": RATE, "rho": FRACTION, "eps": POSITIVE},
        text="the step over a running root mean square, as torch.optim.RMSprop(alpha=rho); "
        "Tieleman & Hinton 2012",
    ),
    UpdateRule(
        name="mq",
        parameters={"alpha": None, "alpha_min": 1e-3, "r": 1e-6, "rho": 0.9999},
        scalars={"v": "alpha", "n": "0", "a": "0"},
        statements=(
            "w := w + (alpha/(v + r) + alpha_min)*g",  # v before its update
            "n := n + 1",
            "a := min(n/(n + 1), rho)",
            "v := a*v + (1 - a)*mean(|g|)",
        ),
        ranges={"alpha": RATE, "alpha_min": RATE, "r": NOT_NEGATIVE, "rho": SHARE},
        text="matrix quotient: the step over the running mean of |g|; Alonso et al. 2024, eq. 7-8 "
        "(the printed eq. 8 has a wrong sign; this is the authors' program)",
    ),
)

OPTIMIZERS: Mapping[str, UpdateRule] = MappingProxyType({rule.name: rule for rule in _TABLE})
