"""The text of an expression, with as few brackets as the grammar needs."""

from __future__ import annotations

from .tree import (
    Array,
    Binary,
    Call,
    Compare,
    Counter,
    Expr,
    Input,
    Load,
    Noise,
    Number,
    Parameter,
    Quoted,
    Range,
    Rate,
    RateReference,
    Reference,
    Residual,
    Stream,
    Trace,
    Transmitted,
    Unary,
    UnitPlace,
    Variable,
    Weight,
    WeightOf,
)

# How tightly a node binds: comparison, sum, product, unary minus, power, and what needs no bracket.
COMPARE, SUM, PRODUCT, UNARY, POWER, ATOM = range(6)
LEVELS = {"+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "^": POWER}


def text(expr: Expr, style: str = "text") -> str:
    """The text of an expression; parsing it gives the same tree back.

    `style` "text" is the circuit language, with spaces around operators; "index" leaves them out.
    That the tree comes back holds for leaves as written and numbers that are not negative;
    resolved leaves print as a reader knows them: `layer[1].x@free`, `pre.r`, `input.port`.
    """
    if style not in ("text", "index"):
        raise ValueError(f"unknown style {style!r}: text or index")
    return _write(expr, COMPARE, "" if style == "index" else " ")


def _write(expr: Expr, least: int, space: str) -> str:
    """The text, in brackets if the node binds less tightly than `least`."""
    level, written = _written(expr, space)
    return written if level >= least else f"({written})"


def _written(expr: Expr, space: str) -> tuple[int, str]:
    """How tightly the text of a node binds, and the text."""
    match expr:
        case Number():
            written = number_text(expr.value)
            return (UNARY if written.startswith("-") else ATOM), written
        case Unary():
            return UNARY, "-" + _write(expr.operand, UNARY, space)
        case Binary():
            return _binary(expr, space)
        case Compare():
            left, right = (_write(e, SUM, space) for e in (expr.left, expr.right))
            return COMPARE, f"{left}{space}{expr.op}{space}{right}"
        case Call():
            inside = ", ".join(_write(a, COMPARE, space) for a in expr.arguments)
            prime = "'" if expr.primed else ""
            return ATOM, f"{expr.function}{prime}({inside})"
        case Range():
            return SUM, f"{_write(expr.start, SUM, '')}..{_write(expr.stop, SUM, '')}"
        case _:
            return ATOM, _leaf(expr)


def _binary(expr: Binary, space: str) -> tuple[int, str]:
    """Sums and products lean to the left, powers to the right."""
    level = LEVELS[expr.op]
    if expr.op == "^":
        base, exponent = _write(expr.left, ATOM, space), _write(expr.right, UNARY, space)
        return level, f"{base}^{exponent}"
    left, right = _write(expr.left, level, space), _write(expr.right, level + 1, space)
    if expr.op == "/" and right.startswith("dt"):
        space = " "  # du/dt is a rate, du / dt a quotient
    return level, f"{left}{space}{expr.op}{space}{right}"


def number_text(value: float) -> str:
    """The shortest text that is this number: 2, 0.1, 1e-05."""
    written = repr(float(value))
    return written[:-2] if written.endswith(".0") else written


def _leaf(expr: Expr) -> str:
    match expr:
        case Reference():
            index = "" if expr.index is None else f"[{_write(expr.index, SUM, '')}]"
            return _at("".join([expr.name, index, *("." + a for a in expr.attributes)]), expr.phase)
        case Quoted():
            return f'"{expr.value}"'
        case Array():
            return expr.said
        case RateReference():
            return f"d{expr.name}/dt"
        case Variable():
            return _at(f"{expr.side or expr.population}.{expr.name}", expr.phase)
        case Rate():
            return f"d({expr.population}.{expr.name})/dt"
        case Input():
            return "input" if expr.port is None else f"input.{expr.port}"
        case Parameter():
            own = expr.name.rpartition(".")[2]
            return expr.name if expr.side is None else f"{expr.side}.{own}"
        case Stream() | Counter() | Trace() | UnitPlace():
            return expr.name
        case WeightOf():
            return expr.synapse
        case Load():
            return expr.buffer
        case Noise():
            return "xi"
        case Weight():
            return "w"
        case Transmitted():
            return "pre"
        case Residual():
            return "residual"
    raise TypeError(f"{type(expr).__name__} has no text")


def _at(name: str, phase: str | None) -> str:
    return name if phase is None else f"{name}@{phase}"
