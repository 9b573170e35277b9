"""Loops over units and samples of the generated module."""

from __future__ import annotations

from ...graphs.expressions.tree import Expr, Load
from ...graphs.instructions import BatchReduce, Block, Draw, Reduce, loads
from .code_writer import CodeWriter
from .text import Text, scalar


class Loops:
    """Prints one instruction over units and samples; `at` is the place of an element."""

    def __init__(self, to: CodeWriter):
        self.to = to
        self.at = "i" if to.single else "o + j"
        self.known: dict[str, str] = {}
        self.first: list[str] | None = None  # where the first reading of an element is written

    def _element(self, node: Load) -> str:
        """The element of a buffer in the loops that are open."""
        name = node.buffer
        if name in self.known:
            return self.known[name]
        place = self._place(name)
        if self.first is None:
            return place
        self.known[name] = f"u{len(self.first)}"
        self.first.append(f"{self.known[name]} = {place}")
        return self.known[name]

    def _place(self, name: str) -> str:
        kind, array = self.to.layout.kind(name), self.to.array(name)
        if kind == "row":
            return f"{array}[i]"
        if kind == "sample":
            return f"{array}[0]" if self.to.single else f"{array}[j]"
        return f"{array}[{self.at}]"

    def _text(self, expr: Expr) -> str:
        return Text(self.to, self._element, hoist=True).of(expr)

    # --- maps ----------------------------------------------------------------------------------

    def block(self, block: Block) -> None:
        """Maps over the same shape as one loop."""
        to, kind = self.to, str(block.shape[0])
        masked = to.masked and any(m.masked for m in block.maps)
        kinds = {to.layout.kind(n) for m in block.maps for n in loads(m.value)} | {kind}
        flat = not to.single and kinds <= {"unit", "scalar"} and not masked
        if flat:
            self.at = "k"
        self.first = body = []
        for number, m in enumerate(block.maps):
            name, text = f"v{number}", self._text(m.value)
            if m.masked and masked:
                text = f"({text} if act[j] else {self._element(Load(m.target))})"
            if text.isidentifier():
                name = text  # a copy needs no name of its own
            else:
                body.append(f"{name} = {text}")
            if m.target not in block.local:
                body.append(f"{self._place(m.target)} = {name}")
            self.known[m.target] = name
        self._around(kind, int(block.shape[1]) if len(block.shape) > 1 else 1, flat, body)

    def _around(self, kind: str, size: int, flat: bool, body: list[str]) -> None:
        """The loop or loops of a block."""
        to = self.to
        if kind == "sample" and to.single:
            to.line(*body)
        elif kind == "sample":
            self._loop("for j in range(B):", body)
        elif kind == "row" or to.single:
            self._loop(f"for i in range({to.size(size)}):", body)
        elif flat:
            self._loop(f"for k in range({to.size(size)} * B):", body)
        else:
            inner = ["for j in range(B):", *(f"    {line}" for line in body)]
            self._loop(f"for i in range({to.size(size)}):", ["o = i * B", *inner])

    def _loop(self, head: str, body: list[str]) -> None:
        self.to.line(head)
        with self.to.deeper():
            self.to.line(*body)

    # --- sums ----------------------------------------------------------------------------------

    def reduce(self, r: Reduce) -> None:
        """Sums, means, maxima and norms over units, per sample."""
        to, text, target = self.to, self._text(r.value), self.to.array(r.target)
        start = "-np.inf" if r.op == "max" else "0.0"
        if to.single:
            to.line(f"e = {to.rounded(start)}", f"for i in range({to.size(r.size)}):")
            to.line(f"    e = {_added(r.op, 'e', text)}")
            to.line(f"{target}[0] = {_ended(r.op, 'e', to.size(r.size))}")
            return
        to.line("for j in range(B):", f"    {target}[j] = {start}")
        to.line(f"for i in range({to.size(r.size)}):", "    o = i * B", "    for j in range(B):")
        to.line(f"        {target}[j] = {_added(r.op, f'{target}[j]', text)}")
        if r.op in ("norm", "mean"):
            to.line(
                "for j in range(B):",
                f"    {target}[j] = {_ended(r.op, f'{target}[j]', to.size(r.size))}",
            )

    def batch_reduce(self, r: BatchReduce) -> None:
        """Means and sums over samples, per unit."""
        to, text, target = self.to, self._text(r.value), self.to.flat(r.target)
        to.line(f"for i in range({to.size(to.buffers[r.target].size)}):")
        if to.single:
            to.line(f"    {target}[i] = {text}")
            return
        to.line("    o = i * B", "    e = 0.0", "    for j in range(B):")
        to.line(f"        e += {text}")
        to.line(f"    {target}[i] = e / B" if r.average else f"    {target}[i] = e")

    # --- chance --------------------------------------------------------------------------------

    def draw(self, drawn: Draw, number: str) -> None:
        """Random numbers per unit and sample; `number` is the text of a standard one."""
        to = self.to
        arguments = [self._wide(argument) for argument in drawn.arguments]
        if arguments:
            number = f"d.{drawn.kind}({number}, {', '.join(arguments)})"
        size = to.buffers[drawn.target].size
        self._around("unit", size, False, [f"{self._place(drawn.target)} = {number}"])

    def _wide(self, expr: Expr) -> str:
        """The text of an expression, in float64 where all of it is over scalars."""
        scalars = all(self.to.layout.kind(name) == "scalar" for name in loads(expr))
        return scalar(self.to, expr) if scalars else self._text(expr)

    # --- stop rules ----------------------------------------------------------------------------

    def stop(self, condition: Expr) -> None:
        """Samples for which the condition holds stop; the loop ends with the last."""
        to = self.to
        self.at = "i"
        text = self._text(condition)
        table = f"stopped[{to.stop_row}, p"
        if to.single:
            to.line(f"if {text} != 0:", f"    {table}, 0] = step + 1", "    break")
            return
        to.line("left = 0", "for j in range(B):", "    if act[j]:")
        to.line(f"        if {text} != 0:")
        to.line("            act[j] = False", f"            {table}, j] = step + 1")
        to.line("        else:", "            left += 1", "if left == 0:", "    break")


def _added(op: str, total: str, text: str) -> str:
    """A total with one more term."""
    return {"max": f"max({total}, {text})", "norm": f"{total} + f.square({text})"}.get(
        op, f"{total} + {text}"
    )


def _ended(op: str, total: str, size: str) -> str:
    """A total once all terms are in it."""
    return {"norm": f"math.sqrt({total})", "mean": f"{total} / {size}"}.get(op, total)
