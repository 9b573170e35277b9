"""Philox 4x32-10 on tensors: the same bits as `philox`, in int64 arithmetic with masks.

A 32 by 32 bit product wraps around in int64 but keeps its 64 bits; a shift to the right is followed
by a mask, which removes the copies of the sign. Every tensor is made beforehand, so that drawing
allocates nothing and can be captured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from ...compartments.distributions import MOST_EVENTS
from .. import philox
from .tape import Tape

LOW = 0xFFFFFFFF


MULTIPLIER_0, MULTIPLIER_1 = int(philox.MULTIPLIER_0), int(philox.MULTIPLIER_1)


def keys(seeds: Sequence[int], name: str, device: torch.device) -> list[tuple[Tensor, Tensor]]:
    """The two key words of each round, (replica, 1, 1)."""
    words = [philox.key_of(seed, name) for seed in seeds]
    rounds = []
    for number in range(10):
        pair = []
        for side, weyl in ((0, int(philox.WEYL_0)), (1, int(philox.WEYL_1))):
            column = [(w[side] + number * weyl) & LOW for w in words]
            pair.append(torch.tensor(column, dtype=torch.int64, device=device).reshape(-1, 1, 1))
        rounds.append((pair[0], pair[1]))
    return rounds


def counter_words(step: Tensor, sample: Tensor, tape: Tape) -> tuple[Tensor, Tensor, Tensor]:
    """c1, c2, c3 of `philox.counter`; step (replica, 1, 1), sample (replica, batch, 1)."""
    low, high = torch.zeros_like(step), torch.zeros_like(step)
    first, rest = torch.zeros_like(sample), torch.zeros_like(sample)
    tape += [
        partial(torch.bitwise_and, step, LOW, out=low),
        partial(torch.bitwise_right_shift, step, 32, out=high),
        partial(high.bitwise_left_shift_, 16),
        partial(torch.bitwise_and, sample, LOW, out=first),
        partial(torch.bitwise_right_shift, sample, 32, out=rest),
        partial(rest.bitwise_or_, high),
    ]
    return low, first, rest


class Generator:
    """Writes the calls that fill four tensors of words from counters.

    Args:
        shape: (replica, batch, units).
        counters: The four counter words, broadcastable to the shape, int64 below 2^32.
    """

    def __init__(self, shape: tuple[int, ...], counters: Sequence[Tensor], device: torch.device):
        def new() -> Tensor:
            return torch.zeros(shape, dtype=torch.int64, device=device)

        self.counters = counters
        self.words = [new() for _ in range(4)]
        self.high, self.low = new(), new()
        self.spare = [new(), new()]

    def write(self, tape: Tape, rounds: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Ten rounds, in place."""
        c = self.words
        for word, counter in zip(c, self.counters, strict=True):
            tape.append(partial(word.copy_, counter))
        for k0, k1 in rounds:
            product = self.spare
            tape.append(partial(torch.mul, c[0], MULTIPLIER_0, out=product[0]))
            tape.append(partial(torch.mul, c[2], MULTIPLIER_1, out=product[1]))
            for target, other, whole, key in ((0, 1, product[1], k0), (2, 3, product[0], k1)):
                tape.append(partial(torch.bitwise_right_shift, whole, 32, out=self.high))
                tape.append(partial(self.high.bitwise_and_, LOW))
                tape.append(partial(self.high.bitwise_xor_, c[other]))
                tape.append(partial(torch.bitwise_xor, self.high, key, out=c[target]))
            tape.append(partial(torch.bitwise_and, product[1], LOW, out=c[1]))
            tape.append(partial(torch.bitwise_and, product[0], LOW, out=c[3]))

    def _unit_interval(self, tape: Tape, high: Tensor, low: Tensor, out: Tensor) -> None:
        tape.append(partial(torch.bitwise_right_shift, high, 5, out=self.high))
        tape.append(partial(torch.bitwise_left_shift, self.high, 26, out=self.high))
        tape.append(partial(torch.bitwise_right_shift, low, 6, out=self.low))
        tape.append(partial(self.high.bitwise_or_, self.low))
        tape.append(partial(out.copy_, self.high))
        tape.append(partial(out.mul_, 2.0**-53))

    def write_standard(
        self,
        standard: str,
        tape: Tape,
        rounds: Sequence[tuple[Tensor, Tensor]],
        target: Tensor,
    ) -> None:
        """Target := uniform in [0, 1), standard normal, or -1 or 1: a word of `philox`."""
        self.write(tape, rounds)
        {"normal": self._normal, "uniform": self._uniform, "random_sign": self._sign}[standard](
            tape, target
        )

    def _uniform(self, tape: Tape, target: Tensor) -> None:
        u = torch.zeros(target.shape, dtype=torch.float64, device=target.device)
        self._unit_interval(tape, self.words[0], self.words[1], u)
        tape.append(partial(target.copy_, u))

    def _sign(self, tape: Tape, target: Tensor) -> None:
        """2 (x0 >> 31) - 1."""
        tape.append(partial(torch.bitwise_right_shift, self.words[0], 31, out=self.high))
        tape.append(partial(self.high.mul_, 2))
        tape.append(partial(self.high.sub_, 1))
        tape.append(partial(target.copy_, self.high))

    def _normal(self, tape: Tape, target: Tensor) -> None:
        """Sqrt(-2 log(1 - u)) cos(2 pi v)."""
        u, v = (torch.zeros(target.shape, dtype=torch.float64, device=target.device) for _ in "uv")
        self._unit_interval(tape, self.words[0], self.words[1], u)
        self._unit_interval(tape, self.words[2], self.words[3], v)
        tape += [
            partial(torch.neg, u, out=u),
            partial(torch.log1p, u, out=u),
            partial(u.mul_, -2.0),
            partial(torch.sqrt, u, out=u),
            partial(v.mul_, 2.0 * math.pi),
            partial(torch.cos, v, out=v),
            partial(u.mul_, v),
            partial(target.copy_, u),
        ]


# --- what distributions with arguments make of standard numbers ----------------------------------


def write_moved(
    kind: str, tape: Tape, standard: Tensor, arguments: Sequence[Tensor], target: Tensor
) -> None:
    """Target := the number of a distribution, of a standard one; all in float64."""
    if not arguments:
        tape.append(partial(target.copy_, standard))
        return
    _MOVED[kind](tape, standard, arguments, target)


def _uniform(tape: Tape, u: Tensor, arguments: Sequence[Tensor], target: Tensor) -> None:
    a, b = arguments
    shape = torch.broadcast_shapes(a.shape, b.shape)
    width = torch.zeros(shape, dtype=torch.float64, device=target.device)
    tape += [partial(torch.sub, b, a, out=width), *_into(target, u, width, a)]


def _normal(tape: Tape, z: Tensor, arguments: Sequence[Tensor], target: Tensor) -> None:
    m, s = arguments
    tape += _into(target, z, s, m)


def _into(target: Tensor, number: Tensor, factor: Tensor, more: Tensor) -> Tape:
    """Target := factor * number + more, each rounded."""
    held = torch.zeros(target.shape, dtype=torch.float64, device=target.device)
    made = Tape()
    made += [
        partial(torch.mul, factor, number, out=held),
        partial(held.add_, more),
        partial(target.copy_, held),
    ]
    return made


def _bernoulli(tape: Tape, u: Tensor, arguments: Sequence[Tensor], target: Tensor) -> None:
    """1 where u < p, else 0; NaN where p is no probability."""
    (p,) = arguments
    met = torch.zeros(target.shape, dtype=torch.bool, device=target.device)
    held = torch.zeros(target.shape, dtype=torch.float64, device=target.device)
    tape += [
        partial(torch.lt, u, p, out=met),
        partial(held.copy_, met),
        *_checked(held, p, 1.0),
        partial(target.copy_, held),
    ]


def _poisson(tape: Tape, u: Tensor, arguments: Sequence[Tensor], target: Tensor) -> None:
    """The most k with Q(k, l) <= u (k > 0), where Q(k, l) is the probability of less than k.

    Bit by bit, so that nothing depends on the numbers and the tape can be captured.
    """
    (l,) = arguments  # noqa: E741
    shape, device = target.shape, target.device
    k, more, below = (torch.zeros(shape, dtype=torch.float64, device=device) for _ in range(3))
    met = torch.zeros(shape, dtype=torch.bool, device=device)
    tape.append(partial(k.zero_))
    bit = 1 << int(2 * MOST_EVENTS).bit_length() - 1
    while bit:
        tape += [
            partial(torch.add, k, bit, out=more),
            partial(torch.special.gammaincc, more, l, out=below),
            partial(torch.le, below, u, out=met),
            partial(torch.where, met, more, k, out=k),
        ]
        bit >>= 1
    tape += [*_checked(k, l, MOST_EVENTS), partial(target.copy_, k)]


def _checked(held: Tensor, argument: Tensor, most: float) -> Tape:
    """NaN where an argument is not from 0 to `most`."""
    fine = torch.zeros(argument.shape, dtype=torch.bool, device=held.device)
    also = torch.zeros(argument.shape, dtype=torch.bool, device=held.device)
    nan = torch.full((), math.nan, dtype=torch.float64, device=held.device)
    made = Tape()
    made += [
        partial(torch.ge, argument, 0.0, out=fine),
        partial(torch.le, argument, most, out=also),
        partial(fine.logical_and_, also),
        partial(torch.where, fine, held, nan, out=held),
    ]
    return made


_MOVED = {
    "uniform": _uniform,
    "normal": _normal,
    "bernoulli": _bernoulli,
    "poisson": _poisson,
}
