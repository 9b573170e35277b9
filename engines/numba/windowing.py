"""Windowed instructions in the generated module: calls of `windows` on views (unit, sample)."""

from __future__ import annotations

from ...compartments.windows import Windows
from ...graphs.instructions import Convolve, Correlate, Pool, Unpool, Windowed
from .code_writer import CodeWriter


class Windowing:
    """Prints one instruction about an image and a map."""

    def __init__(self, to: CodeWriter):
        self.to = to

    def write(self, i: Windowed) -> None:
        """The call that does it."""
        match i:
            case Convolve():
                self._convolve(i)
            case Correlate():
                self._correlate(i)
            case Pool(source=source, target=target, windows=over):
                x, out = self._image(source, over), self._map(target, over)
                self.to.line(f"c.pool_{i.op}({x}, {out}, {self._sides(over)})")
            case Unpool(source=source, target=target, values=values, windows=over):
                x, s = self._image(target, over), self._map(source, over)
                given = f"{s}, {self._image(values, over)}" if i.op == "max" else s
                self.to.line(f"c.unpool_{i.op}({given}, {x}, {self._sides(over)})")

    def _convolve(self, c: Convolve) -> None:
        to, over, weight = self.to, c.windows, self.to.array(c.weight)
        if c.transposed:
            ends = f"{self._map(c.source, over)}, {self._image(c.target, over)}"
            to.line(f"c.convolve_back({weight}, {ends}, {self._sides(over)})")
            return
        ends = f"{self._image(c.source, over)}, {self._map(c.target, over)}"
        last = to.one if c.bias else to.zero
        to.line(f"c.convolve({weight}, {ends}, {last}, {self._sides(over)})")

    def _correlate(self, c: Correlate) -> None:
        to, over, target = self.to, c.windows, self.to.array(c.target)
        post, factor = self._map(c.post, over), to.one
        if c.average and not to.single:
            factor = to.fresh("g")
            to.line(f"{factor} = {to.rounded('1.0 / B')}")
        last = to.one if c.bias == c.post else to.zero
        ends = f"{post}, {self._image(c.pre, over)}"
        to.line(f"c.correlate({ends}, {target}, {last}, {factor}, {self._sides(over)})")
        if c.bias not in (None, c.post):
            own = f"{self._map(c.bias, over)}, {target}, {factor}"
            to.line(f"c.last_column({own}, {to.argument(over.positions)})")

    def _image(self, name: str, over: Windows) -> str:
        return self.to.view(name, over.units)

    def _map(self, name: str, over: Windows) -> str:
        return self.to.view(name, over.seeing)

    def _sides(self, over: Windows) -> str:
        numbers = (*over.image, *over.map[1:], over.size, over.stride, over.padding)
        return f"({', '.join(self.to.argument(n) for n in numbers)})"
