"""The rule compiler: a rule as matrix products, without anything of size batch x post x pre.

The average over the samples of a term f(post) g(pre) (see `factors`) is one matrix product for the
whole batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..compartments.optimizers import OPTIMIZERS
from .circuit import Equation, LearnItem, Synapse, Update
from .compensation import Compensation
from .derivative import simplify
from .evaluation import Evaluator, LoweringError, summed
from .expression import (
    Binary,
    Call,
    Expr,
    Load,
    Number,
    Reference,
    Transmitted,
    Unary,
    Weight,
    transform,
    walk,
)
from .factors import ONE, separate, times
from .parse import parse_expression, parse_statement
from .program import BatchReduce, Map, MatrixReduce, Rank, Term

Apply = Callable[[], None]


class RuleCompiler:
    """Compiles the rules of one protocol; each rule is first read, then applied."""

    def __init__(self, evaluator: Evaluator, compensate: frozenset[str] = frozenset()):
        self.at = evaluator
        self.starts: dict[str, Expr] = {}
        self.sums = Compensation(evaluator, compensate, self.starts)
        self._count = 0

    def read(self, item: LearnItem, keep: bool = False) -> Apply:
        """Emits what a rule reads; the returned function emits its application.

        `keep`: states move between reading and applying, so factors are copied.
        """
        if item.variable is not None:
            return self._read_slow(item.name, item.variable)
        synapse = self.at.circuit.synapses[item.name]
        updates = [r for r in synapse.rule if isinstance(r, Update)]
        if not updates:
            raise LoweringError(f"`learn` names {item.name}, which has no `rule` for an event")
        if synapse.optimizer is not None:
            return self._read_optimized(synapse, updates, keep)
        weight = self.at.weight(synapse)
        steps = [self._read_update(synapse, u, weight, keep) for u in updates]
        return lambda: self._apply(steps, weight)

    def _apply(self, steps: list[Apply], *written: str) -> None:
        for step in steps:
            step()
        for name in written:
            self.at.write(name)

    def _scratch(self, label: str, *shape: str | int) -> str:
        self._count += 1
        return self.at.buffer(f"{label}~{self._count}", "scratch", *shape)

    # --- slow variables ------------------------------------------------------------------------

    def _read_slow(self, population: str, variable: str) -> Apply:
        target = self.at.variable(population, variable)
        size = self.at.population(population).size
        rules = [r for r in self.at.population(population).rules if r.target == variable]
        if not rules:
            raise LoweringError(f"{population}.{variable} has no entry in the `rules` of its cell")
        steps = [self._read_row(target, r, self.at.translate(r.right), size, True) for r in rules]
        return lambda: self._apply(steps, target)

    def _read_row(self, target: str, rule: Update, right: Expr, size: int, average: bool) -> Apply:
        """A rule of one number per unit: averaged over the samples, then added or put in place."""
        mean = self._scratch(f"mean({target})", "row", size)
        self.at.emit(BatchReduce(mean, self.at.reading(right), average))
        if rule.kind != ":=" and target in self.sums.names:
            signed = Load(mean) if rule.kind == "+=" else Unary("-", Load(mean))
            return lambda: self.sums.add(
                target, lambda name, lost: self.at.emit(Map(name, Binary("-", signed, lost)))
            )
        value = _updated(rule.kind, Load(target), Load(mean))
        return lambda: self.at.emit(Map(target, value))

    # --- synapses ------------------------------------------------------------------------------

    def _read_update(self, synapse: Synapse, rule: Update, weight: str, keep: bool) -> Apply:
        average = synapse.batch == "mean"
        if synapse.connect == "one_to_one":
            swapped = transform(
                rule.right, lambda n: Load(weight) if isinstance(n, Weight) else None
            )
            right = self.at.translate(swapped, synapse)
            return self._read_row(weight, rule, right, synapse.shape[0], average)
        base, terms = self._split(synapse, rule.right, weight, keep)
        if rule.kind == "-=":
            base = base and Unary("-", base)
            terms = [replace(t, coefficient=simplify(Unary("-", t.coefficient))) for t in terms]
        diagonal = synapse.connect == "all_but_self"
        if rule.kind != ":=" and weight in self.sums.names:
            return lambda: self.sums.add(
                weight,
                lambda name, lost: self.at.emit(
                    Rank(
                        name,
                        simplify(Binary("-", base or Number(0.0), lost)),
                        tuple(terms),
                        average,
                        synapse.bias,
                        diagonal,
                    )
                ),
            )
        if rule.kind != ":=":
            base = base and Binary("+", Load(weight), base)
        elif base is None:
            base = Number(0.0)
        rank = Rank(weight, base and simplify(base), tuple(terms), average, synapse.bias, diagonal)
        return lambda: self.at.emit(rank)

    def _split(
        self, synapse: Synapse, right: Expr, weight: str, keep: bool
    ) -> tuple[Expr | None, list[Term]]:
        """The part in w alone (None if there is none), and the terms averaged over samples."""
        base: list[Expr] = []
        terms: list[Term] = []
        try:
            parts = separate(right)
        except LoweringError as error:
            raise LoweringError(f"{synapse.name}: {error}") from None
        for factors in parts:
            scalar = self.at.reading(self.at.translate(factors.scalar))
            matrix = factors.matrix and self.at.translate(
                transform(
                    factors.matrix, lambda n: Load(weight) if isinstance(n, Weight) else None
                ),
                synapse,
            )
            post = self._end(synapse, factors.post, "post")
            pre = self._end(synapse, factors.pre, "pre")
            if post is None and pre is None:
                base.append(times(scalar, matrix) or ONE)
            elif post is not None and pre is not None:
                term = self._term(synapse, scalar, post, pre, keep)
                if matrix is None:
                    terms.append(term)
                else:
                    product = self._scratch(f"product({synapse.name})", "matrix", *synapse.shape)
                    average = synapse.batch == "mean"
                    self.at.emit(Rank(product, Number(0.0), (term,), average, synapse.bias))
                    base.append(Binary("*", matrix, Load(product)))
            else:
                side = "post" if post is not None else "pre"
                if side == "pre" and synapse.bias:
                    raise LoweringError(
                        f"{synapse.name}: a rule part that reads only `pre` has no meaning for the "
                        f"bias; write it as a product with a variable of `post`"
                    )
                row = self._row(post or pre or ONE, side, synapse)
                base.append(times(times(scalar, matrix), row) or ONE)
        return (summed(base) if base else None), terms

    def _term(self, synapse: Synapse, scalar: Expr, post: Expr, pre: Expr, keep: bool) -> Term:
        """One product; where both ends are the same but for a number per sample, it is apart."""
        scale, rest = self._apart(post)
        if scale is not None and rest == pre:
            name = self._scratch(f"scale({synapse.name})", "sample")
            self.at.assign(name, scale)
            held = self._held(pre, "pre", synapse, keep)
            return Term(scalar, held, held, name)
        before = self._held(post, "post", synapse, keep)
        after = (
            before if post == pre and not synapse.bias else self._held(pre, "pre", synapse, keep)
        )
        return Term(scalar, before, after)

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

    def _end(self, synapse: Synapse, factor: Expr | None, side: str) -> Expr | None:
        """A factor of one end over buffers."""
        if factor is None:
            return None
        if side == "pre":
            sent = Load(self.at.sent(synapse))
            factor = transform(factor, lambda n: sent if isinstance(n, Transmitted) else None)
        return self.at.reading(self.at.translate(factor, synapse))

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
        name = self._scratch(f"{side}({synapse.name})", "unit", self._size(synapse, side))
        self.at.assign(name, factor)
        return name

    def _row(self, factor: Expr, side: str, synapse: Synapse) -> Expr:
        """A factor of one end without a partner, averaged over the samples, along the matrix."""
        name = self._scratch(f"{side}({synapse.name})", "row", self._size(synapse, side))
        self.at.emit(BatchReduce(name, factor, synapse.batch == "mean"))
        return Load(name, side)

    # --- optimizers ----------------------------------------------------------------------------

    def _read_optimized(self, synapse: Synapse, updates: list[Update], keep: bool) -> Apply:
        weight = self.at.weight(synapse)
        shape = self.at.buffers[weight].shape
        changed = self._scratch(f"new({synapse.name})", *shape)
        steps = [self._read_update(synapse, u, changed, keep) for u in updates]
        put = self.at.put

        def apply() -> None:
            put(changed, Load(weight))
            for step in steps:
                step()
            put(changed, Binary("-", Load(changed), Load(weight)))
            self._optimize(synapse, changed, put)
            if synapse.connect == "all_but_self":
                self.at.emit(Rank(weight, Load(weight), off_diagonal=True))
            self.at.write(weight)

        return apply

    def _optimize(self, synapse: Synapse, change: str, put: Callable[[str, Expr], None]) -> None:
        assert synapse.optimizer is not None
        rule = OPTIMIZERS[synapse.optimizer.kind]
        weight = self.at.weight(synapse)
        shape = self.at.buffers[weight].shape
        names: dict[str, Expr] = {"w": Load(weight), "g": Load(change)}
        given = list(synapse.optimizer.arguments)
        for (name, default), argument in zip(
            rule.parameters.items(),
            [*given, *[None] * (len(rule.parameters) - len(given))],
            strict=True,
        ):
            if argument is None and default is None:
                raise LoweringError(f"{synapse.name}: {rule.name} needs {name}")
            names[name] = (
                Number(float(default or 0.0)) if argument is None else self.at.translate(argument)
            )
        for name, start in rule.states.items():
            buffer = self.at.buffer(f"{synapse.name}.{rule.name}.{name}", "optimizer", *shape)
            self.starts[buffer] = _over(parse_expression(start), names)
            names[name] = Load(buffer)
        scalars: dict[str, str] = {}
        for name, start in rule.scalars.items():
            buffer = self.at.buffer(f"{synapse.name}.{rule.name}.{name}", "optimizer", "scalar")
            self.starts[buffer] = _over(parse_expression(start), names)
            scalars[name] = buffer
        names |= {name: Load(buffer) for name, buffer in scalars.items()}
        for line in rule.statements:
            statement = parse_statement(line)
            value = self._means(_over(statement.right, names))
            target = names[statement.target.name]
            assert isinstance(target, Load)
            if statement.target.name in scalars:
                self.at.emit(Map(target.buffer, value))
            else:
                put(target.buffer, value)

    def _means(self, value: Expr) -> Expr:
        """`mean(E)` over all elements of a weight, as a scalar of its own."""

        def leaf(node: Expr) -> Expr | None:
            if isinstance(node, Call) and node.function == "mean":
                name = self._scratch("mean", "scalar")
                self.at.emit(MatrixReduce(name, node.arguments[0]))
                return Load(name)
            return None

        return transform(value, leaf)

    # --- continuous plasticity -----------------------------------------------------------------

    def rates(self, synapse: Synapse) -> list[tuple[str, str, Expr]]:
        """Emits d/dt of a synapse's traces and weight: (buffer, buffer of its rate, own slope)."""
        found: list[tuple[str, str, Expr]] = []
        for equation in (*synapse.trace, *(r for r in synapse.rule if isinstance(r, Equation))):
            if equation.variable == "w":
                target = self.at.weight(synapse)
            else:
                target = self.at.trace(synapse, equation.variable)
            right = (
                equation.right
                if equation.tau is None
                else Binary("/", equation.right, equation.tau)
            )
            found.append((target, *self._rate(synapse, target, right)))
        return found

    def _rate(self, synapse: Synapse, target: str, right: Expr) -> tuple[str, Expr]:
        weight = self.at.weight(synapse)
        shape = self.at.buffers[target].shape
        rate = self.at.buffer(f"d({target})", "scratch", *shape)
        own = Load(target)
        if synapse.connect == "one_to_one":
            swapped = transform(right, lambda n: Load(weight) if isinstance(n, Weight) else None)
            value = self.at.reading(self.at.translate(swapped, synapse))
            self.at.emit(BatchReduce(rate, value, synapse.batch == "mean"))
            slope = _slope(value, own)
            if slope == Number(0.0):
                return rate, slope
            name = self.at.buffer(f"slope({target})", "scratch", *shape)
            self.at.emit(BatchReduce(name, slope, synapse.batch == "mean"))
            return rate, Load(name)
        base, terms = self._split(synapse, right, weight, keep=False)
        base = simplify(base) if base is not None else Number(0.0)
        diagonal = synapse.connect == "all_but_self"
        average = synapse.batch == "mean"
        self.at.emit(Rank(rate, base, tuple(terms), average, synapse.bias, diagonal))
        return rate, _slope(base, own)


def _slope(value: Expr, own: Load) -> Expr:
    from .derivative import differentiate

    return simplify(differentiate(value, own))


def _updated(kind: str, old: Expr, right: Expr) -> Expr:
    """The new value of `old` after an update `old KIND right`."""
    return right if kind == ":=" else Binary(kind[0], old, right)


def _over(expr: Expr, names: dict[str, Expr]) -> Expr:
    """An expression of an update rule, its names replaced by operands."""
    return transform(expr, lambda n: names[n.name] if isinstance(n, Reference) else None)
