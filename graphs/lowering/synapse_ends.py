"""Both ends of a synapse and its weight, as buffers that meet in a matrix.

A variable of `post` lies along the rows of the matrix, one of `pre` along its columns. A bias unit
is one more presynaptic unit that sends 1, and has nothing else.
"""

from __future__ import annotations

from dataclasses import replace

from ...compartments.functions import over_units
from ..buffer import Quantity, live_weight
from ..circuit import Synapse
from ..expressions.derivative import expand_primes, simplify
from ..expressions.tree import (
    Binary,
    Call,
    Expr,
    Load,
    Number,
    Parameter,
    Transmitted,
    Unary,
    Variable,
    Weight,
    WeightOf,
    transform,
    walk,
)
from ..instructions import Instruction, Map, MatrixProduct, RankUpdate, Side
from .emitter import Emitter
from .refusal import LoweringError, Subject

Operand = tuple[str, bool, Expr | None]  # buffer, whether transposed, factor


class Ends:
    """What a synapse reads at its ends, and the array that holds its weight."""

    def __init__(self, at: Emitter):
        self.at = at
        for synapse in at.circuit.synapses.values():
            if synapse.weight is not None:
                self._promise(synapse)

    def _promise(self, synapse: Synapse) -> None:
        name = live_weight(synapse.name).name
        self.at.makers[name] = lambda: self._live(synapse, name)

    def spread(self, synapse: Synapse) -> tuple[tuple[Map, ...], str]:
        """What a synapse transmits as one number per unit and sample, and what makes it so."""
        at, source = self.at, self.at.sent(synapse)
        if at.buffers[source].shape[0] == "unit":
            return (), source
        name = at.sent_by_all(synapse)
        return (Map(name, Load(source)),), name

    # --- the two ends --------------------------------------------------------------------------

    def pairwise(self, expr: Expr, synapse: Synapse) -> Expr:
        """An expression of a synapse over buffers; each end's lie along their axis of the matrix.

        Weight and Transmitted stay; sums over the connections are taken to be gone.
        """
        at = self.at

        def each(node: Expr) -> Expr | None:
            match node:
                case Call(function=function, arguments=(_,)) if over_units(function, 1):
                    return self._along(at.translate(node, synapse), _side(node))
                case Variable(side=side) | Parameter(side=side) if side:
                    return self._along(at.translate(node, synapse), side)
            return None

        return at.translate(transform(simplify(expand_primes(expr)), each), synapse)

    def _along(self, expr: Expr, side: str | None) -> Expr:
        """An expression over buffers of one end, laid along that end's axis."""

        def each(node: Expr) -> Expr | None:
            if isinstance(node, Load) and self.at.buffers[node.buffer].shape[0] in ("unit", "row"):
                return replace(node, axis=side)
            return None

        return transform(expr, each)

    def at_bias(self, expr: Expr, synapse: Synapse) -> Expr:
        """An expression of a synapse at the bias unit, which has only what it sends: 1.

        Raises:
            LoweringError: It names what a bias unit does not have.
        """
        population, sent = synapse.source

        def each(node: Expr) -> Expr | None:
            match node:
                case Call(function=function, arguments=(_,)) if over_units(function, 1):
                    return node
                case Transmitted():
                    return Number(1.0)
                case Variable(side="pre", name=name) if name == sent:
                    return Number(1.0)
                case Variable(side="pre", name=name) | Parameter(side="pre", name=name):
                    raise LoweringError(
                        f"{synapse.name}: `bias: true` and pre.{name.rpartition('.')[2]} do not go "
                        f"together: the bias unit has only what it sends, 1; name what the synapse "
                        f"sends ({population}.{sent}, `pre`), or learn a bias of the postsynaptic "
                        f"cell (a slow variable)",
                        about=Subject(synapse.name),
                    )
            return None

        return simplify(transform(simplify(expand_primes(expr)), each))

    # --- weights -------------------------------------------------------------------------------

    def matrix(self, synapse: Synapse) -> Operand:
        """The buffer that holds the weight, whether it is transposed, and a factor or None."""
        if synapse.weight is None:
            return self.at.weight(synapse), False, None
        found = self._plain(synapse.weight)
        if found is not None:
            return found
        return self.at.live_weight(synapse), False, None

    def pooling(self, synapse: Synapse) -> tuple[Synapse, Expr | None]:
        """The pooling whose windows a synapse has, and the factor before it, or None."""
        found = None if synapse.weight is None else self._pooled(synapse.weight)
        return (synapse, None) if found is None else found

    def _pooled(self, expr: Expr) -> tuple[Synapse, Expr | None] | None:
        match expr:
            case WeightOf(synapse=name):
                return self.pooling(self.at.circuit.synapses[name])
            case Call(function="copy" | "transpose", arguments=(inner,)):
                return self._pooled(inner)
            case Unary(operand=inner) if (found := self._pooled(inner)) is not None:
                return found[0], simplify(Unary("-", found[1] or Number(1.0)))
            case Binary(op="*", left=left, right=right):
                for scalar, pooled in ((left, right), (right, left)):
                    if (found := self._pooled(pooled)) is not None:
                        gain = self.at.translate(scalar)
                        return found[0], Binary("*", gain, found[1]) if found[1] else gain
        return None

    def connections(self, synapse: Synapse) -> str | None:
        """What holds which connections there are, laid like the array of the weight.

        A synapse whose weight is another's has the other's connections.
        """
        at, identity = self.at, self.at.buffers[self.matrix(synapse)[0]].identity
        if not isinstance(identity, Quantity):
            return None  # a product is a whole array
        return at.connections(at.circuit.synapses[identity.owner])

    def _plain(self, expr: Expr) -> Operand | None:
        match expr:
            case WeightOf(synapse=name):
                return self._of_other(self.at.circuit.synapses[name])
            case Call(function="copy", arguments=(inner,)):
                return self._plain(inner)
            case Call(function="transpose", arguments=(inner,)):
                found = self._plain(inner)
                return found and (found[0], not found[1], found[2])
            case Call(function="product", arguments=(left, right)):
                return self._product(left, right)
            case Unary(operand=inner):
                found = self._plain(inner)
                return found and (found[0], found[1], simplify(Unary("-", found[2] or Number(1.0))))
            case Binary(op="*", left=left, right=right):
                for scalar, matrix in ((left, right), (right, left)):
                    found = self._plain(matrix)
                    if found and not any(_of_units(n) for n in walk(scalar)):
                        gain = self.at.translate(scalar)
                        return found[0], found[1], Binary("*", gain, found[2]) if found[2] else gain
        return None

    def _of_other(self, synapse: Synapse) -> Operand:
        """The weight of a synapse that another names: all of the array that holds it.

        Raises:
            LoweringError: Not all of the array is its weight.
        """
        if synapse.weight is not None and not self.whole(synapse):
            raise LoweringError(
                f"{synapse.name} leaves out the diagonal of the weights that it is made of, so its "
                f"own weight is no array; name those that it is made of",
                about=Subject(synapse.name),
            )
        return self.matrix(synapse)

    def whole(self, synapse: Synapse) -> bool:
        """Whether the array behind a live weight has no connection that the synapse leaves out."""
        assert synapse.weight is not None
        if not synapse.connection.off_diagonal:
            return True
        nodes = list(walk(synapse.weight))
        if any(isinstance(n, Call) and n.function == "product" for n in nodes):
            return False
        others = [self.at.circuit.synapses[n.synapse] for n in nodes if isinstance(n, WeightOf)]
        return all(
            other.connection.off_diagonal and (other.weight is None or self.whole(other))
            for other in others
        )

    def _product(self, left: Expr, right: Expr) -> Operand | None:
        """The buffer that holds the product of two matrices, and the factor of both."""
        at, one, other = self.at, self._plain(left), self._plain(right)
        if one is None or other is None:
            return None
        (first, turned, scale), (second, turned_too, scale_too) = one, other
        factor = Binary("*", scale, scale_too) if scale and scale_too else scale or scale_too
        rows, inner = self._shape(left)
        _, columns = self._shape(right)
        sides = Side(first, turned), Side(second, turned_too)
        name = at.product(*sides, rows, columns)
        at.makers[name] = lambda: (MatrixProduct(name, *sides, inner),)
        return name, False, factor

    def _shape(self, expr: Expr) -> tuple[int, int]:
        """(post, pre) of a weight that is some matrix times a number, without a bias column."""
        match expr:
            case WeightOf(synapse=name):
                synapse = self.at.circuit.synapses[name]
                return synapse.shape[0], synapse.shape[1] - synapse.bias
            case Call(function="transpose", arguments=(inner,)):
                rows, columns = self._shape(inner)
                return columns, rows
            case Call(function="product", arguments=(left, right)):
                return self._shape(left)[0], self._shape(right)[1]
            case Call(arguments=(inner,)) | Unary(operand=inner):
                return self._shape(inner)
            case Binary(left=left, right=right):
                has = any(isinstance(n, WeightOf) for n in walk(left))
                return self._shape(left if has else right)
        raise TypeError(f"{expr!r} is no matrix")

    def _live(self, synapse: Synapse, name: str) -> tuple[Instruction, ...]:
        """The instructions that fill the array of a live weight that is no other synapse's."""
        assert synapse.weight is not None
        if any(isinstance(n, WeightOf) for n in walk(synapse.weight)):
            raise LoweringError(
                f"{synapse.name}: `weight` must be made of numbers and of what `pre` and `post` "
                f"have, or be another synapse's weight, its transpose or a product of such, "
                f"times a number",
                about=Subject(synapse.name),
            )
        hollow, value = synapse.connection.off_diagonal, self.pairwise(synapse.weight, synapse)
        only = self.at.connections(synapse)
        return (RankUpdate(name, value, off_diagonal=hollow, only=only),)


def _of_units(node: Expr) -> bool:
    """Whether a node differs from connection to connection."""
    return isinstance(node, WeightOf) or (isinstance(node, Parameter) and node.side is not None)


def times_weight(factor: Expr, expr: Expr) -> Expr:
    """An expression in which the weight is a factor times what its array holds."""
    return transform(expr, lambda n: Binary("*", factor, n) if isinstance(n, Weight) else None)


def _side(expr: Expr) -> str | None:
    """The one end of a synapse that an expression reads.

    Raises:
        LoweringError: It reads both.
    """
    sides = {n.side for n in walk(expr) if isinstance(n, Variable | Parameter) and n.side}
    if len(sides) > 1:
        raise LoweringError(
            "a sum over a population reads variables of that population only, not of both ends of "
            "a synapse; with `w` or `pre` inside, it runs over the connections of a cell"
        )
    return sides.pop() if sides else None
