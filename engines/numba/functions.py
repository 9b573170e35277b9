"""Elementwise functions for generated code: no libm calls where a loop over units must vectorise.

exp reduces x = k ln 2 + r and evaluates a polynomial in r; expm1, tanh and logistic stand on
the same pieces. Relative error of a few units in the last place. `FUNCTIONS[bits]` has the table
for float32 and float64 under the names of `compartments.functions`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..kernel_cache import njit
from .options import EXACT, INLINE


@intrinsic
def power_of_two(typingctx: Any, shifted: Any) -> Any:
    """2^k from k + 1.5 * 2^(mantissa bits), whose low bits hold k."""
    if not isinstance(shifted, types.Float):
        return None
    bits = shifted.bitwidth
    mantissa, bias = (52, 1023) if bits == 64 else (23, 127)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        integer = ir.IntType(bits)
        raw = builder.bitcast(args[0], integer)
        biased = builder.add(raw, ir.Constant(integer, bias))
        moved = builder.shl(biased, ir.Constant(integer, mantissa))
        return builder.bitcast(moved, args[0].type)

    return shifted(shifted), codegen


C = tuple(1.0 / math.factorial(n) for n in range(14))
C32 = tuple(np.float32(c) for c in C)
MAGIC, LOG2E = 6755399441055744.0, 1.4426950408889634
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
MAGIC32, LOG2E32 = np.float32(12582912.0), np.float32(1.4426950408889634)
LN2_HIGH32, LN2_LOW32 = np.float32(0.693359375), np.float32(-2.12194440e-4)
LOWEST32, HIGHEST32 = np.float32(-87.0), np.float32(88.0)
ZERO32, ONE32, TWO32, LIMIT32 = (np.float32(x) for x in (0, 1, 2, 20))
FAR32, THOUSAND32, E32 = (np.float32(x) for x in (80, 1000, math.e))


@njit(**INLINE)
def parts_64(x: Any) -> Any:
    """(s, q) with e^x = s (1 + q), s a power of two."""
    x = min(max(x, -708.0), 709.0)
    shifted = x * LOG2E + MAGIC
    k = shifted - MAGIC
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    p = C[8] + r * (C[9] + r * (C[10] + r * (C[11] + r * (C[12] + r * C[13]))))
    p = C[2] + r * (C[3] + r * (C[4] + r * (C[5] + r * (C[6] + r * (C[7] + r * p)))))
    return power_of_two(shifted), r + r * r * p  # pyright: ignore[reportCallIssue]


@njit(**INLINE)
def parts_32(x: Any) -> Any:
    """(s, q) with e^x = s (1 + q), s a power of two."""
    x = min(max(x, LOWEST32), HIGHEST32)
    shifted = x * LOG2E32 + MAGIC32
    k = shifted - MAGIC32
    r = (x - k * LN2_HIGH32) - k * LN2_LOW32
    p = C32[2] + r * (C32[3] + r * (C32[4] + r * (C32[5] + r * (C32[6] + r * C32[7]))))
    return power_of_two(shifted), r + r * r * p  # pyright: ignore[reportCallIssue]


@njit(**INLINE)
def exp_64(x: Any) -> Any:
    """e^x."""
    s, q = parts_64(x)
    return s + s * q


@njit(**INLINE)
def exp_32(x: Any) -> Any:
    """e^x."""
    s, q = parts_32(x)
    return s + s * q


@njit(**INLINE)
def tanh_64(x: Any) -> Any:
    """(e^2x - 1) / (e^2x + 1)."""
    x = min(max(x, -20.0), 20.0)
    s, q = parts_64(x + x)
    e = s * q + (s - 1.0)
    return e / (e + 2.0)


@njit(**INLINE)
def tanh_32(x: Any) -> Any:
    """(e^2x - 1) / (e^2x + 1)."""
    x = min(max(x, -LIMIT32), LIMIT32)
    s, q = parts_32(x + x)
    e = s * q + (s - ONE32)
    return e / (e + TWO32)


@njit(**INLINE)
def logistic_64(x: Any) -> Any:
    """1 / (1 + e^-x)."""
    s, q = parts_64(-x)
    return 1.0 / (1.0 + (s + s * q))


@njit(**INLINE)
def logistic_32(x: Any) -> Any:
    """1 / (1 + e^-x)."""
    s, q = parts_32(-x)
    return ONE32 / (ONE32 + (s + s * q))


@njit(**INLINE)
def relu_64(x: Any) -> Any:
    """max(x, 0)."""
    return max(x, 0.0)


@njit(**INLINE)
def relu_32(x: Any) -> Any:
    """max(x, 0)."""
    return max(x, ZERO32)


@njit(**INLINE)
def softplus_64(x: Any) -> Any:
    """log(1 + e^x), without overflow."""
    return max(x, 0.0) + math.log1p(exp_64(-abs(x)))


@njit(**INLINE)
def softplus_32(x: Any) -> Any:
    """log(1 + e^x), without overflow."""
    return max(x, ZERO32) + math.log1p(exp_32(-abs(x)))


@njit(**INLINE)
def clip_any(x: Any, low: Any, high: Any) -> Any:
    """min(max(x, low), high)."""
    return min(max(x, low), high)


@njit(**INLINE)
def sign_64(x: Any) -> Any:
    """-1, 0 or 1."""
    return (1.0 if x > 0.0 else 0.0) - (1.0 if x < 0.0 else 0.0)


@njit(**INLINE)
def sign_32(x: Any) -> Any:
    """-1, 0 or 1."""
    return (ONE32 if x > ZERO32 else ZERO32) - (ONE32 if x < ZERO32 else ZERO32)


@njit(**INLINE)
def exprel_64(x: Any) -> Any:
    """(e^x - 1) / x, 1 at 0; where e^x is near the largest number it is e e^(x - 1)."""
    far = x > 700.0
    s, q = parts_64(x - 1.0 if far else x)
    e = s * q + (s - 1.0)
    zero = 1.0 if x == 0.0 else 0.0
    bounded = 1000.0 if x > 1000.0 else x
    return (e * (math.e if far else 1.0) + zero) / (bounded + zero)


@njit(**INLINE)
def exprel_32(x: Any) -> Any:
    """(e^x - 1) / x, 1 at 0; where e^x is near the largest number it is e e^(x - 1)."""
    far = x > FAR32
    s, q = parts_32(x - ONE32 if far else x)
    e = s * q + (s - ONE32)
    zero = ONE32 if x == ZERO32 else ZERO32
    bounded = THOUSAND32 if x > THOUSAND32 else x
    return (e * (E32 if far else ONE32) + zero) / (bounded + zero)


@njit(**INLINE)
def rounding(new: Any, old: Any, change: Any) -> Any:
    """What rounding added to old + change; not reassociated, or it would be 0."""
    return (new - old) - change


@njit(**INLINE)
def square(x: Any) -> Any:
    """x^2."""
    return x * x


@njit(**INLINE)
def cube(x: Any) -> Any:
    """x^3."""
    return x * x * x


@njit(**EXACT)
def clock(origin: Any, count: Any, dt: Any) -> Any:
    """origin + count * dt, each rounded once: the same wherever it stands."""
    return origin + count * dt


@njit(**EXACT)
def where(holds: Any, yes: Any, no: Any) -> Any:
    """`yes` where `holds` is not 0, else `no`."""
    return yes if holds != 0 else no
