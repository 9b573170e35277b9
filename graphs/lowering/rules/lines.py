"""Lines of a rule as matrix products, without anything of size batch x post x pre.

    mean over samples of E(w, post, pre) = base(w) + sum of mean of coefficient f(post) g(pre)

The average over the samples of a term f(post) g(pre) (see `factors`) is one matrix product for the
whole batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...circuit import Synapse, Update
from ...expressions.derivative import simplify, summed
from ...expressions.tree import Binary, Expr, Load, Number, Trace, Weight, transform, walk
from ...instructions import BatchReduce, Instruction, RankUpdate, RowReduce, Term
from ..emitter import Emitter
from ..refusal import LoweringError, Subject
from ..transmission import Transmission
from .factors import ONE, Factors, separate, times
from .pairs import Pairs
from .terms import Terms


@dataclass(frozen=True)
class RuleLine:
    """One line of a rule: `weight` is the array that `w` means.

    `keep`: states move between reading and applying. `later`: what is done when it is applied,
    since only then `w` is known; None for the first line.
    """

    synapse: Synapse
    update: Update
    weight: str
    keep: bool
    later: list[Instruction] | None


class RuleLines:
    """Takes lines of rules apart, and emits what they read."""

    def __init__(self, at: Emitter, transmission: Transmission, pairs: Pairs):
        self.at, self.transmission, self.pairs = at, transmission, pairs
        self.terms = Terms(at)

    def parts(self, line: RuleLine, right: Expr) -> tuple[Expr | None, list[Term], Expr | None]:
        """The part in w alone (None if there is none), the terms, and what the bias column adds."""
        synapse, weight = line.synapse, line.weight
        if synapse.name in self.at.apart and any(isinstance(n, Trace) for n in walk(right)):
            shape = self.at.buffers[weight].shape
            mean = self.at.passing("mean", synapse, *shape)
            return self.pairs.mean(synapse, self.pairs.value(synapse, right), mean), [], None
        base: list[Expr] = []
        terms: list[Term] = []
        biases: list[Expr] = []
        means = None if line.later is None else weight
        right = self.transmission.reductions.of(right, synapse, means, line.later)
        try:
            parts = separate(right, self._end_of)
        except LoweringError as error:
            raise LoweringError(f"{synapse.name}: {error}", Subject(synapse.name, "rule")) from None
        for factors in parts:
            if synapse.windows is not None:
                base.append(self._shared(line, factors))
                continue
            if synapse.bias and factors.pre is not None and factors.post is None:
                factors = replace(factors, post=ONE)  # the bias unit has a number of its own
            scalar = self.at.reading(self.at.translate(factors.scalar))
            matrix = factors.matrix and self._element(line, factors.matrix)
            post = self.terms.end(synapse, factors.post, "post")
            pre = self.terms.end(synapse, factors.pre, "pre")
            if post is None and pre is None:
                alone = times(scalar, matrix) or ONE
                if synapse.batch == "sum":
                    alone = times(alone, self._samples(synapse)) or ONE
                base.append(alone)
            elif post is not None and pre is not None:
                term = self.terms.of(synapse, scalar, post, pre, line.keep)
                bias = self._bias(synapse, scalar, post, factors.pre)
                if matrix is None:
                    terms.append(term)
                    biases += [] if bias is None else [bias]
                else:
                    product = self.at.passing("product", synapse, "matrix", *synapse.shape)
                    average = synapse.batch == "mean"
                    row = self.bias_row(synapse, bias)
                    self.at.emit(RankUpdate(product, Number(0.0), (term,), average, row))
                    base.append(Binary("*", matrix, Load(product)))
            else:
                side = "post" if post is not None else "pre"
                row = self.terms.row(post or pre or ONE, side, synapse)
                base.append(times(times(scalar, matrix), row) or ONE)
        return (
            summed(base) if base else None,
            terms,
            summed(biases) if biases else None,
        )

    def _shared(self, line: RuleLine, factors: Factors) -> Expr:
        """A term of a weight that connections share: its sum over all of them."""
        synapse, end = line.synapse, self.terms.end
        if factors.post is None and factors.pre is None:
            raise LoweringError(
                f"{synapse.name}: a part of its rule reads neither `pre` nor `post`, and cells "
                f"share the weights of a {synapse.connect}: each of them would bring it once more; "
                f"`optimizer: adamw(lr, decay)` lets weights decay, once in each change",
                about=Subject(synapse.name, "rule"),
            )
        scalar = self.at.reading(self.at.translate(factors.scalar))
        matrix = factors.matrix and self._element(line, factors.matrix)
        post, pre = factors.post or ONE, factors.pre or ONE
        bias = None
        if synapse.bias:
            sent = self.transmission.ends.at_bias(pre, synapse)
            bias = end(synapse, simplify(times(post, sent) or ONE), "post")
        ends = end(synapse, post, "post") or ONE, end(synapse, pre, "pre") or ONE
        product = self.terms.correlation(synapse, *ends, bias, self.at.buffers[line.weight].shape)
        return times(times(scalar, matrix), Load(product)) or ONE

    def _samples(self, synapse: Synapse) -> Expr:
        """The number of samples, along the matrix."""
        return self.terms.row(ONE, "post", synapse)

    def _element(self, line: RuleLine, matrix: Expr) -> Expr:
        """A factor of the connection itself: of its weight and its traces."""
        own = Load(line.weight)
        expr = self.at.translate(
            transform(matrix, lambda n: own if isinstance(n, Weight) else None), line.synapse
        )
        later = {i.target: None for i in line.later or () if isinstance(i, RowReduce)}
        now = {n.buffer for n in walk(expr) if isinstance(n, Load) and n.buffer not in later}
        self.at.need(*sorted(now - {line.weight}))
        return self.held(expr, {line.weight, *later}) if line.keep else expr

    def _end_of(self, load: Load) -> str | None:
        """Which factor a buffer belongs to that stands in a rule: post, pre or matrix."""
        kind = self.at.buffers[load.buffer].shape[0]
        return {"row": "matrix", "unit": "post", "sample": "pre"}.get(str(kind))

    def held(self, value: Expr, later: set[str]) -> Expr:
        """A value in which all but the buffers `later` is what it is now, in copies."""
        copies: dict[Expr, Expr] = {}

        def leaf(node: Expr) -> Expr | None:
            if not isinstance(node, Load) or node.buffer in later:
                return None
            if node not in copies:
                shape = self.at.buffers[node.buffer].shape
                name = self.at.passing("held", node.buffer, *shape)
                self.at.put(name, Load(node.buffer))
                copies[node] = replace(node, buffer=name)
            return copies[node]

        return transform(value, leaf)

    # --- the bias unit -------------------------------------------------------------------------

    def _bias(self, synapse: Synapse, scalar: Expr, post: Expr, pre: Expr | None) -> Expr | None:
        """What a term adds to the weight of the bias unit, per sample: scalar * f(post) * g(1)."""
        if not synapse.bias or pre is None:
            return None
        sent = self.terms.end(synapse, self.transmission.ends.at_bias(pre, synapse), "post")
        return simplify(times(times(scalar, post), sent) or ONE)

    def bias_row(self, synapse: Synapse, bias: Expr | None) -> str | None:
        """The row that holds what the bias column adds, averaged over the samples."""
        if bias is None or bias == Number(0.0):
            return None
        name = self.at.passing("bias", synapse, "row", synapse.shape[0])
        self.at.emit(BatchReduce(name, bias, synapse.batch == "mean"))
        return name
