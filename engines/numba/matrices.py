"""Matrices in the generated module: products, pairwise sums, and the rules that change weights."""

from __future__ import annotations

from ...graphs.expressions.tree import Expr, Load, Weight
from ...graphs.instructions import (
    MatrixProduct,
    MatrixReduce,
    PairwiseSum,
    Product,
    RankUpdate,
    RowReduce,
    Side,
    Spread,
    loads,
)
from .code_writer import CodeWriter
from .layout import UNROLLED
from .text import Text, scalar


class Matrices:
    """Prints one instruction that reads or writes whole matrices."""

    def __init__(self, to: CodeWriter):
        self.to = to

    # --- transmission --------------------------------------------------------------------------

    def product(self, p: Product) -> None:
        """target := W source, or transpose(W) source."""
        to, (rows, columns) = self.to, self.to.layout.matrix(p.weight)
        if not to.single:
            into, out = (rows, columns) if p.transposed else (columns, rows)
            arrays = f"{to.array(p.weight)}, {to.view(p.source, into)}, {to.view(p.target, out)}"
            kind = "_back" if p.transposed else "_few" if p.few else ""
            to.line(f"w.multiply{kind}({arrays})")
            return
        weight, source, target = (to.array(n) for n in (p.weight, p.source, p.target))
        if max(rows, columns) > UNROLLED:
            function = "product" + ("_back" if p.transposed else "_few" if p.few else "")
            to.line(f"w.{function}({weight}, {source}, {target})")
        elif p.transposed:
            to.line(f"for j in range({columns}):", f"    {target}[j] = 0.0")
            to.line(f"for i in range({rows}):", f"    e = {source}[i]")
            to.line(f"    for j in range({columns}):", f"        {target}[j] += {weight}[i, j] * e")
        else:
            to.line(f"for i in range({rows}):", f"    e = {to.zero}")
            to.line(f"    for j in range({columns}):", f"        e += {weight}[i, j] * {source}[j]")
            to.line(f"    {target}[i] = e")

    def matrix_product(self, p: MatrixProduct) -> None:
        """target := left right, of matrices or their transposes."""
        to, (rows, columns) = self.to, self.to.layout.matrix(p.target)
        left, right = self._side(p.left, rows, p.inner), self._side(p.right, p.inner, columns)
        to.line(f"w.multiply({left}, {right}, {to.array(p.target)})")

    def _side(self, side: Side, rows: int, columns: int) -> str:
        """The first rows and columns of a matrix, or of its transpose, in one piece."""
        to, array = self.to, self.to.array(side.matrix)
        if side.transposed:
            return f"w.part_back({array}, {to.argument(rows)}, {to.argument(columns)})"
        if self.to.layout.matrix(side.matrix) == (rows, columns):
            return array
        return f"w.part({array}, {to.argument(rows)}, {to.argument(columns)})"

    def pair(self, p: PairwiseSum) -> None:
        """target_i := sum or maximum over j of an expression of w_ij and both ends."""
        to, target = self.to, self.to.array(p.target)
        posts, pres = (to.buffers[n].size for n in (p.target, p.source))
        value = self._paired(p, p.value, "j")
        bias = self._paired(p, p.bias, to.size(pres)) if p.bias is not None else None
        start = to.rounded("-np.inf") if p.op == "max" else to.zero
        end = "i" if to.single else "i * B + b"
        samples = [] if to.single else ["for b in range(B):"]
        inner = "    " * len(samples)
        to.line(f"for i in range({to.size(posts)}):")
        with to.deeper():
            to.line(*samples, f"{inner}{target}[{end}] = {start}")
            to.line(f"for j in range({to.size(pres)}):")
            with to.deeper():
                if p.off_diagonal:
                    to.line("if i == j:", "    continue")
                if p.only:
                    place = "[j, i]" if p.transposed else "[i, j]"
                    to.line(f"if {to.array(p.only)}{place} == 0.0:", "    continue")
                to.line(*samples, f"{inner}{_more(p.op, f'{target}[{end}]', value)}")
            if bias is not None:
                to.line(*samples, f"{inner}{_more(p.op, f'{target}[{end}]', bias)}")

    def _paired(self, p: PairwiseSum, expr: Expr, column: str) -> str:
        """An expression of a connection, at postsynaptic unit i and presynaptic unit `column`."""
        to, weight, source = self.to, self.to.array(p.weight), self.to.array(p.source)
        element = f"{weight}[{column}, i]" if p.transposed else f"{weight}[i, {column}]"

        def place(letter: str) -> str:
            return letter if to.single else f"{letter} * B + b"

        def load(node: Load) -> str:
            kind = to.layout.kind(node.buffer)
            if kind == "scalar":
                return to.scalar(node.buffer)
            array, letter = to.array(node.buffer), column if node.axis == "pre" else "i"
            at = {"row": letter, "sample": "0" if to.single else "b", "matrix": f"i, {column}"}
            return f"{array}[{at.get(kind, place(letter))}]"

        def leaf(node: Expr) -> str:
            return element if isinstance(node, Weight) else f"{source}[{place(column)}]"

        return Text(to, load, leaf).of(expr)

    def spread(self, s: Spread) -> None:
        """What one end has, or a matrix, for each pair of units and each sample."""
        to, (posts, pres) = self.to, s.shape
        source, target = to.array(s.source), to.array(s.target)
        letter = "j" if s.axis == "pre" else "i"
        place = letter if to.single else f"{letter} * B + b"
        row = to.layout.kind(s.source) == "row"
        value = f"{source}[{'i, j' if s.axis == 'both' else letter if row else place}]"
        if s.bias:
            value = f"({value} if j < {to.size(pres - 1)} else {to.one})"
        to.line(f"for i in range({to.size(posts)}):", f"    for j in range({to.size(pres)}):")
        pair = f"i * {to.size(pres)} + j"
        if to.single:
            to.line(f"        {target}[{pair}] = {value}")
            return
        to.line("        for b in range(B):")
        to.line(f"            {target}[({pair}) * B + b] = {value}")

    def row_reduce(self, r: RowReduce) -> None:
        """A row := sums or maxima over the columns of a matrix."""
        to, target, (posts, pres) = self.to, self.to.array(r.target), r.shape
        value = self._element(r.value)
        to.line(f"for i in range({to.size(posts)}):")
        with to.deeper():
            to.line(f"e = {to.rounded('-np.inf') if r.op == 'max' else to.zero}")
            to.line(f"for j in range({to.size(pres)}):")
            if r.off_diagonal:
                to.line("    if i == j:", "        continue")
            if r.only:
                to.line(f"    if {to.array(r.only)}[i, j] == 0.0:", "        continue")
            to.line(f"    {_more(r.op, 'e', value)}", f"{target}[i] = e")

    # --- plasticity ----------------------------------------------------------------------------

    def rank(self, r: RankUpdate) -> None:
        """target := base + sum of coefficient * post pre^T, averaged or summed over samples."""
        to, target = self.to, self.to.array(r.target)
        posts, pres = to.layout.matrix(r.target)
        outer = len(r.terms) == 1 and not r.terms[0].symmetric and r.base in (None, Load(r.target))
        base = self._element(Load(r.target) if r.base is None else r.base)
        factors = self._factors(r)
        if not to.single and factors:
            self._batched(r, base, factors)
        elif outer and max(posts, pres) > UNROLLED:
            post, pre = to.array(r.terms[0].post), to.array(r.terms[0].pre)
            columns = to.size(to.layout.filled(r))
            to.line(f"w.add_outer({target}, {columns}, {factors[0]}, {post}, {pre})")
            if r.bias:
                to.line(f"for i in range({to.size(posts)}):")
                to.line(f"    {target}[i, {to.size(pres - 1)}] += {to.array(r.bias)}[i]")
        else:
            to.line(f"for i in range({to.size(posts)}):")
            with to.deeper():
                self._row(r, base, factors)
        if r.off_diagonal:
            to.line(f"for i in range({to.size(posts)}):", f"    {target}[i, i] = 0.0")
        if r.only:
            to.line(f"for i in range({to.size(posts)}):", f"    for j in range({to.size(pres)}):")
            to.line(f"        if {to.array(r.only)}[i, j] == 0.0:")
            to.line(f"            {target}[i, j] = 0.0")

    def _element(self, expr: Expr) -> str:
        """An expression at element (i, j) of a matrix, or i of a row; scalars are hoisted."""
        to = self.to

        def load(node: Load) -> str:
            kind = to.layout.kind(node.buffer)
            if kind == "scalar":
                return to.scalar(node.buffer)
            if kind == "matrix":
                return f"{to.array(node.buffer)}[i, j]"
            return f"{to.array(node.buffer)}[{'j' if node.axis == 'pre' else 'i'}]"

        return Text(to, load, hoist=True).of(expr)

    def _factors(self, r: RankUpdate) -> list[str]:
        """A local variable for the coefficient of each term."""
        to = self.to
        scale = " / B" if r.average and not to.single else ""
        factors = []
        for term in r.terms:
            factors.append(to.fresh("g"))
            number = f"({scalar(to, term.coefficient)}){scale}"
            if term.scale and to.single:
                number += f" * {to.array(term.scale)}[0]"
            to.line(f"{factors[-1]} = {to.rounded(number)}")
        return factors

    def _row(self, r: RankUpdate, base: str, factors: list[str]) -> None:
        """Row i of a matrix, for one sample."""
        to, products = self.to, []
        for term, factor in zip(r.terms, factors, strict=True):
            post, pre = to.array(term.post), to.array(term.pre)
            if term.symmetric:
                products.append(f" + w.thrice({factor}, {post}[i], {post}[j])")
                continue
            name = to.fresh("q")
            to.line(f"{name} = {factor} * {post}[i]")
            products.append(f" + {name} * {pre}[j]")
        to.line(f"for j in range({to.size(to.layout.filled(r))}):")
        to.line(f"    {to.array(r.target)}[i, j] = {base}{''.join(products)}")
        self._last(r, base)

    def _last(self, r: RankUpdate, base: str) -> None:
        """Element i of the column of the bias unit, which the terms leave out."""
        to, columns = self.to, self.to.layout.matrix(r.target)[1]
        if r.terms and to.layout.filled(r) < columns:
            added = f" + {to.array(r.bias)}[i]" if r.bias else ""
            to.line(f"j = {to.size(columns - 1)}", f"{to.array(r.target)}[i, j] = {base}{added}")

    def _batched(self, r: RankUpdate, base: str, factors: list[str]) -> None:
        """All terms of a rule as one matrix product over (term, sample)."""
        to, target, g = self.to, self.to.array(r.target), self.to.changes(r.target)
        posts, pres = to.layout.changes[r.target]
        factor = to.one
        if len(r.terms) == 1 and not r.terms[0].scale:
            post, pre = to.view(r.terms[0].post, posts), to.view(r.terms[0].pre, pres)
            factor = factors[0]
        else:
            post, pre = self._laid(r, factors)
        to.line(f"w.multiply_outer({post}, {pre}, {g})")
        if all(t.symmetric for t in r.terms):
            to.line(f"w.mirror({g})")
        if r.base in (None, Load(r.target)):
            to.line(f"w.add_scaled({target}, {factor}, {g})")
            if r.bias:
                last = to.layout.matrix(r.target)[1] - 1
                to.line(f"for i in range({to.size(posts)}):")
                to.line(f"    {target}[i, {to.size(last)}] += {to.array(r.bias)}[i]")
            return
        to.line(f"for i in range({to.size(posts)}):")
        with to.deeper():
            to.line(f"for j in range({to.size(pres)}):")
            to.line(f"    {target}[i, j] = {base} + {factor} * {g}[i, j]")
            self._last(r, base)

    def _laid(self, r: RankUpdate, factors: list[str]) -> tuple[str, str]:
        """Both ends of all terms side by side: (post, term and sample), (pre, term and sample)."""
        to, left, right = self.to, self.to.fresh("L"), self.to.fresh("R")
        posts, pres = to.layout.changes[r.target]
        for name, units in ((left, posts), (right, pres)):
            shape = f"({to.size(units)}, {len(r.terms)} * B)"
            to.line(f"{name} = np.empty({shape}, dtype=np.float{to.bits})")
        for number, (term, own) in enumerate(zip(r.terms, factors, strict=True)):
            to.line(f"w.lay({left}, {number} * B, {own}, {to.view(term.post, posts)})")
            to.line(f"w.lay({right}, {number} * B, {to.one}, {to.view(term.pre, pres)})")
            if term.scale:
                to.line(f"w.rescale({right}, {number} * B, {to.array(term.scale)})")
        return left, right

    # --- means ---------------------------------------------------------------------------------

    def mean(self, r: MatrixReduce) -> None:
        """The mean of an expression over the elements of a matrix or a row."""
        to = self.to
        shape = next(
            to.buffers[n].shape for n in sorted(loads(r.value)) if to.layout.kind(n) != "scalar"
        )
        text, count = self._element(r.value), 1
        to.line("e = 0.0")
        for depth, (letter, n) in enumerate(zip("ij", shape[1:], strict=False)):
            to.line("    " * depth + f"for {letter} in range({to.size(int(n))}):")
            count *= int(n)
        to.line("    " * (len(shape) - 1) + f"e += {text}")
        to.line(f"{to.scalar(r.target)} = e / {to.integer(count)}")


def _more(op: str, total: str, value: str) -> str:
    """A statement that takes one more value into a total."""
    return f"{total} = max({total}, {value})" if op == "max" else f"{total} += {value}"
