"""Terms: the two ends of a product that a rule averages over samples, in buffers."""

from __future__ import annotations

from dataclasses import replace

from ...circuit import Synapse
from ...expressions.tree import Binary, Expr, Load, Transmitted, transform, walk
from ...instructions import BatchReduce, Correlate, Map, Term
from ..emitter import Emitter
from .factors import ONE, times


class Terms:
    """Puts factors of one end into buffers."""

    def __init__(self, at: Emitter):
        self.at = at

    def of(self, synapse: Synapse, scalar: Expr, post: Expr, pre: Expr, keep: bool) -> Term:
        """One product; where both ends are the same but for a number per sample, it is apart."""
        scale, rest = self._apart(post)
        if scale is not None and rest == pre:
            name = self.at.passing("scale", synapse, "sample")
            self.at.assign(name, scale)
            held = self._held(pre, "pre", synapse, keep)
            return Term(scalar, held, held, name)
        before = self._held(post, "post", synapse, keep)
        after = (
            before if post == pre and not synapse.bias else self._held(pre, "pre", synapse, keep)
        )
        return Term(scalar, before, after)

    def correlation(
        self,
        synapse: Synapse,
        post: Expr,
        pre: Expr,
        bias: Expr | None,
        shape: tuple[str | int, ...],
    ) -> str:
        """A buffer with the sums of post * pre over the connections that share a weight."""
        assert synapse.windows is not None
        target = self.at.passing("product", synapse, *shape)
        left = self._held(post, "post", synapse, False)
        right = self._held(pre, "pre", synapse, False)
        last = None
        if bias is not None:
            last = left if bias == post else self._held(bias, "post", synapse, False)
        average = synapse.batch == "mean"
        self.at.emit(Correlate(target, left, right, synapse.windows, average, last))
        return target

    def _apart(self, expr: Expr) -> tuple[Expr | None, Expr | None]:
        """An expression as (number per sample) * (vector); None stands for 1."""
        alone = self._per_sample(expr)
        if alone is not None:
            return alone, None
        match expr:
            case Binary(op="*", left=left, right=right):
                (a, b), (c, d) = self._apart(left), self._apart(right)
                return times(a, c), times(b, d)
            case Binary(op="/", left=left, right=right) if below := self._per_sample(right):
                above, rest = self._apart(left)
                return Binary("/", above or ONE, below), rest
        return None, expr

    def _per_sample(self, expr: Expr) -> Expr | None:
        """The expression over per-sample numbers and scalars only, where it is one."""

        def leaf(node: Expr) -> Expr | None:
            if isinstance(node, Load) and self.at.buffers[node.buffer].shape[0] == "unit":
                recipe = self.at.recipe(node.buffer)
                if len(recipe) == 1 and isinstance(recipe[0], Map):
                    return recipe[0].value
            return None

        found = transform(expr, leaf)
        kinds = {self.at.buffers[n.buffer].shape[0] for n in walk(found) if isinstance(n, Load)}
        return found if kinds <= {"sample", "scalar"} else None

    def end(self, synapse: Synapse, factor: Expr | None, side: str) -> Expr | None:
        """A factor of one end over buffers; there is but one axis, that of its units."""
        if factor is None:
            return None
        if side == "pre":
            sent = Load(self.at.sent(synapse))
            factor = transform(factor, lambda n: sent if isinstance(n, Transmitted) else None)
        over = self.at.translate(factor, synapse)
        flat = transform(over, lambda n: replace(n, axis=None) if isinstance(n, Load) else None)
        return self.at.reading(flat)

    def _size(self, synapse: Synapse, side: str) -> int:
        end = synapse.target[0] if side == "post" else synapse.source[0]
        return self.at.population(end).size

    def _held(self, factor: Expr, side: str, synapse: Synapse, keep: bool) -> str:
        """A buffer that holds a factor until the rule is applied."""
        if (
            isinstance(factor, Load)
            and not keep
            and self.at.buffers[factor.buffer].shape[0] == "unit"
        ):
            return factor.buffer
        name = self.at.passing(side, synapse, "unit", self._size(synapse, side))
        self.at.assign(name, factor)
        return name

    def row(self, factor: Expr, side: str, synapse: Synapse) -> Expr:
        """A factor of one end without a partner, averaged over the samples, along the matrix."""
        name = self.at.passing(side, synapse, "row", self._size(synapse, side))
        self.at.emit(BatchReduce(name, factor, synapse.batch == "mean"))
        return Load(name, side)
