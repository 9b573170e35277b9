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

from .. import philox
from ..kernel_cache import njit

PLAIN: dict[str, Any] = {
    "cache": True,
    "error_model": "numpy",
    "fastmath": {"contract", "nsz", "arcp"},
}
INLINE: dict[str, Any] = {**PLAIN, "forceinline": True, "no_cfunc_wrapper": True}
EXACT: dict[str, Any] = {**INLINE, "fastmath": False}


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


FAST: dict[str, Any] = {
    "cache": True,
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "nsz", "arcp"},
    "no_cfunc_wrapper": True,
}


@njit(**FAST)
def clear(x: Any, count: int) -> None:
    """The first `count` numbers := 0."""
    for k in range(count):
        x[k] = 0


@njit(**FAST)
def broken(x: Any, count: int) -> bool:
    """Whether one of the first `count` numbers is not finite."""
    bad = 0.0
    for k in range(count):
        bad += x[k] * 0
    return bad != bad


@njit(**FAST)
def product(w: Any, x: Any, out: Any) -> None:
    """out := w x, for one sample; four rows at once, so that x is loaded a quarter as often."""
    zero = w.dtype.type(0)
    rows = w.shape[0]
    whole = rows - rows % 4
    for i in range(0, whole, 4):
        a, b, c, d = zero, zero, zero, zero
        for j in range(w.shape[1]):
            s = x[j]
            a += w[i, j] * s
            b += w[i + 1, j] * s
            c += w[i + 2, j] * s
            d += w[i + 3, j] * s
        out[i], out[i + 1], out[i + 2], out[i + 3] = a, b, c, d
    for i in range(whole, rows):
        e = zero
        for j in range(w.shape[1]):
            e += w[i, j] * x[j]
        out[i] = e


@njit(**FAST)
def product_back(w: Any, x: Any, out: Any) -> None:
    """out := transpose(w) x, for one sample; four rows at once, so that out is stored less."""
    rows, columns = w.shape
    whole = rows - rows % 4
    for j in range(columns):
        out[j] = 0
    for i in range(0, whole, 4):
        a, b, c, d = x[i], x[i + 1], x[i + 2], x[i + 3]
        for j in range(columns):
            out[j] += (w[i, j] * a + w[i + 1, j] * b) + (w[i + 2, j] * c + w[i + 3, j] * d)
    for i in range(whole, rows):
        e = x[i]
        for j in range(columns):
            out[j] += w[i, j] * e


@njit(**FAST)
def add_outer(w: Any, columns: int, factor: Any, post: Any, pre: Any) -> None:
    """The first columns of w += factor * post pre^T, for one sample."""
    for i in range(w.shape[0]):
        e = factor * post[i]
        for j in range(columns):
            w[i, j] += e * pre[j]


@njit(**FAST)
def multiply(a: Any, b: Any, out: Any) -> None:
    """out := a b."""
    np.dot(a, b, out)


@njit(**FAST)
def lay(matrix: Any, start: int, factor: Any, x: Any) -> None:
    """Columns of a matrix from `start` := factor * x."""
    for i in range(x.shape[0]):
        for b in range(x.shape[1]):
            matrix[i, start + b] = factor * x[i, b]


@njit(**FAST)
def rescale(matrix: Any, start: int, scale: Any) -> None:
    """Columns of a matrix from `start`, each times its number."""
    for i in range(matrix.shape[0]):
        for b in range(len(scale)):
            matrix[i, start + b] *= scale[b]


@njit(**FAST)
def mirror(g: Any) -> None:
    """The upper triangle := the lower one."""
    for i in range(g.shape[0]):
        for j in range(i):
            g[j, i] = g[i, j]


@njit(**INLINE)
def thrice(factor: Any, a: Any, b: Any) -> Any:
    """factor * (a * b), in this order: symmetric in a and b to the last bit."""
    return factor * (a * b)


@njit(**FAST)
def add_scaled(w: Any, factor: Any, g: Any) -> None:
    """w += factor * g."""
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            w[i, j] += factor * g[i, j]


@njit(**FAST)
def gather(a: Any, data: Any, order: Any, p: int) -> None:
    """The samples of presentation p, unit-major."""
    batch = order.shape[1]
    for j in range(batch):
        o = order[p, j]
        for i in range(data.shape[1]):
            a[i * batch + j] = data[o, i]


@njit(**FAST)
def restore(scalars: Any, starts: Any) -> None:
    """Parameters back to their values before a phase set them; NaN keeps a scalar."""
    for k in range(len(scalars)):
        if starts[k] == starts[k]:
            scalars[k] = starts[k]


@njit(**FAST)
def copy(target: Any, source: Any) -> None:
    """target (unit, sample) := source, as many numbers as target has."""
    flat = target.reshape(-1)
    for i in range(len(flat)):
        flat[i] = source[i]


@njit(**FAST)
def store(records: Any, sources: Any, rows: Any, p: int, row: int, first: int, last: int) -> None:
    """A row of records `first` to `last`; none where its place in `rows` is negative."""
    for k in range(first, last):
        place = rows[k, row]
        if place >= 0:
            copy(records[k][p, place], sources[k])


@njit(**FAST)
def store_running(
    running: Any, records: Any, sources: Any, rows: Any, p: int, row: int, first: int, last: int
) -> None:
    """A row of records, for the samples that still run."""
    for k in range(first, last):
        place = rows[k, row]
        if place >= 0:
            record, source = records[k], sources[k]
            batch = record.shape[3]
            for i in range(record.shape[2]):
                for j in range(batch):
                    if running[j]:
                        record[p, place, i, j] = source[i * batch + j]


@njit(**FAST)
def put_out(out: Any, p: int, a: Any) -> None:
    """The output of presentation p."""
    copy(out[p], a)


@njit(**EXACT)
def clock(origin: Any, count: Any, dt: Any) -> Any:
    """origin + count * dt, each rounded once: the same wherever it stands."""
    return origin + count * dt


@njit(**EXACT)
def where(holds: Any, yes: Any, no: Any) -> Any:
    """`yes` where `holds` is not 0, else `no`."""
    return yes if holds != 0 else no


rounds = njit(**INLINE)(philox.rounds)
counter = njit(**INLINE)(philox.counter)


@njit(**INLINE)
def words(k0: Any, k1: Any, unit: Any, step: Any, sample: Any) -> Any:
    """The four words of one block, as `philox.random_bits` has them for `philox.counter`."""
    c0, c1, c2, c3 = counter(np.uint64(unit), np.uint64(step), np.uint64(sample))
    return rounds(c0, c1, c2, c3, k0, k1)


@njit(**PLAIN)
def uniform_at(k0: Any, k1: Any, unit: Any, step: Any, sample: Any) -> Any:
    """Uniform in [0, 1); as `philox.uniform`."""
    a, b, _, _ = words(k0, k1, unit, step, sample)
    return float(((a >> np.uint64(5)) << np.uint64(26)) | (b >> np.uint64(6))) * 2.0**-53


@njit(**PLAIN)
def normal_at(k0: Any, k1: Any, unit: Any, step: Any, sample: Any) -> Any:
    """Standard normal; as `philox.normal`."""
    a, b, c, d = words(k0, k1, unit, step, sample)
    u = float(((a >> np.uint64(5)) << np.uint64(26)) | (b >> np.uint64(6))) * 2.0**-53
    v = float(((c >> np.uint64(5)) << np.uint64(26)) | (d >> np.uint64(6))) * 2.0**-53
    return math.sqrt(-2.0 * math.log1p(-u)) * math.cos(2.0 * math.pi * v)


@njit(**PLAIN)
def random_sign_at(k0: Any, k1: Any, unit: Any, step: Any, sample: Any) -> Any:
    """-1.0 or 1.0; as `philox.random_sign`."""
    a, _, _, _ = words(k0, k1, unit, step, sample)
    return 2.0 * float(a >> np.uint64(31)) - 1.0


# What a function of the circuit language is called in generated code; {} is 32 or 64.
NAMES = {
    "tanh": "f.tanh_{}",
    "logistic": "f.logistic_{}",
    "relu": "f.relu_{}",
    "softplus": "f.softplus_{}",
    "clip": "f.clip_any",
    "sign": "f.sign_{}",
    "exp": "f.exp_{}",
    "exprel": "f.exprel_{}",
    "rounding": "f.rounding",
    "clock": "f.clock",
    "where": "f.where",
    "abs": "abs",
    "log": "math.log",
    "sqrt": "math.sqrt",
    "sin": "math.sin",
    "cos": "math.cos",
    "min": "min",
    "max": "max",
    "round": "np.rint",
    "floor": "math.floor",
}
