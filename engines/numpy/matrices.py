"""Matrices: products, sums over pairs of units, and what rules change, as array operations.

Arrays have the axes (replica, sample, unit); weights (replica, post, pre).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...graphs.buffer import Buffer
from ...graphs.expressions.tree import Expr, Load, Transmitted, Weight
from ...graphs.instructions import PairwiseSum, Product, RankUpdate, Side, Spread
from ..arithmetic import value
from ..presentation import Arrays
from .reductions import REDUCE, of_connections

FEW = 16  # of so many columns one is used
Evaluate = Callable[[Expr], Any]


def product(p: Product, arrays: Arrays) -> np.ndarray:
    """Weights times presynaptic activity, (replica, sample, post)."""
    weight, source = arrays[p.weight], arrays[p.source]
    if p.bias and not p.transposed:
        return source @ weight[:, :, :-1].swapaxes(1, 2) + weight[:, None, :, -1]
    if p.transposed:
        return source @ weight[:, :, : arrays[p.target].shape[-1]]
    if p.few:
        columns = np.flatnonzero(source.any(axis=(0, 1)))
        if FEW * len(columns) <= source.shape[-1]:
            weight, source = weight[:, :, columns], source[:, :, columns]
    return source @ weight.swapaxes(1, 2)


def side(one: Side, arrays: Arrays, rows: int, columns: int) -> np.ndarray:
    """The first rows and columns of a matrix, or of its transpose."""
    matrix = arrays[one.matrix]
    matrix = matrix.swapaxes(1, 2) if one.transposed else matrix
    return matrix[:, :rows, :columns]


def pairwise(
    p: PairwiseSum, arrays: Arrays, buffers: Mapping[str, Buffer], order: np.ndarray
) -> np.ndarray:
    """Sums over presynaptic units, (replica, sample, post); `order` is (replica, sample).

    Inside, the axes are (replica, sample, post, pre); what the bias unit brings stands beside them.
    """
    weight = arrays[p.weight]
    weight = weight.swapaxes(1, 2) if p.transposed else weight
    posts, pres = (arrays[n].shape[-1] for n in (p.target, p.source))
    source = arrays[p.source][:, :, None, :]
    values = _paired(p.value, arrays, buffers, weight[:, None, :posts, :pres], source)
    values = np.broadcast_to(values, (*order.shape, posts, pres))
    only = arrays[p.only] if p.only else None
    if only is not None:
        only = (only.swapaxes(1, 2) if p.transposed else only)[:, None, :posts, :pres]
    values = of_connections(values, p, only)
    if p.bias is not None:
        bias = _paired(p.bias, arrays, buffers, weight[:, None, :posts, pres:], None)
        beside = np.broadcast_to(bias, (*order.shape, posts, 1))
        values = np.concatenate([values, beside], axis=-1)
    return REDUCE[p.op](values, axis=-1)


def _paired(
    expr: Expr,
    arrays: Arrays,
    buffers: Mapping[str, Buffer],
    weight: np.ndarray,
    source: np.ndarray | None,
) -> Any:
    def leaf(node: Expr) -> np.ndarray:
        if isinstance(node, Weight):
            return weight
        assert isinstance(node, Transmitted) and source is not None
        return source

    def load(node: Load) -> np.ndarray:
        array = arrays[node.buffer]
        if buffers[node.buffer].shape[0] == "matrix":
            return array[:, None]
        return array[:, :, None, :] if node.axis == "pre" else array[..., None]

    return value(expr, load, leaf)


def spread(s: Spread, source: np.ndarray, order: np.ndarray) -> np.ndarray:
    """What one end has, or a matrix, for each pair of units, (replica, sample, post * pre)."""
    posts, pres = s.shape
    if s.axis == "both":
        source = source[:, None]
    elif s.axis == "post":
        source = source[..., :, None]
    else:
        ones = np.ones((*source.shape[:-1], int(s.bias)), dtype=source.dtype)
        source = np.concatenate([source, ones], axis=-1)[..., None, :]
    pairs = np.broadcast_to(source, (*order.shape, posts, pres))
    return pairs.reshape(*order.shape, posts * pres)


def ranked(r: RankUpdate, arrays: Arrays, evaluate: Evaluate, batch: int) -> np.ndarray:
    """A matrix after its update: base + the terms, each summed or averaged over the samples."""
    target = arrays[r.target]
    base = target if r.base is None else evaluate(r.base)
    new = np.array(np.broadcast_to(base, target.shape), dtype=target.dtype)
    scale = 1.0 / batch if r.average else 1.0
    for term in r.terms:
        coefficient = np.asarray(evaluate(term.coefficient) * scale, dtype=target.dtype)
        post = arrays[term.post] * coefficient
        pre = arrays[term.pre]
        columns = pre.shape[-1]
        scaled = pre * arrays[term.scale] if term.scale else pre
        outer = post.swapaxes(1, 2) @ scaled
        if term.symmetric:
            outer = (outer + outer.swapaxes(1, 2)) / 2
        new[:, :, :columns] += outer
    if r.bias:
        new[:, :, -1] += arrays[r.bias][:, 0]
    if r.off_diagonal:
        index = np.arange(min(new.shape[1:]))
        new[:, index, index] = 0
    if r.only:
        new[arrays[r.only] == 0] = 0
    return new
