"""What the commands share: the application, options, refusals, and how values are written.

Exit codes: 0 fine, 1 the circuit is wrong, 2 usage, 3 numerical failure.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from ..engines.registry import ENGINES

CIRCUIT_WRONG, USAGE, NUMERICAL = 1, 2, 3
DRAWN = (".png", ".pdf", ".svg")  # what a picture of shapes can be written as

app = typer.Typer(
    name="apical",
    help="Circuits of multi-compartment neurons, from a YAML file to training and traces.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

File = Annotated[str, typer.Argument(metavar="FILE", help="A path, or the name of a bundled one.")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Override a parameter; repeatable."),
]
Engine = Annotated[str, typer.Option(help=f"{' or '.join(ENGINES)}.")]
Device = Annotated[str | None, typer.Option(help="cpu, or what the engine runs on, such as cuda.")]
Threads = Annotated[
    int | None,
    typer.Option(min=1, help="How many threads; default the cores. They change no result."),
]
Variants = Annotated[
    list[str] | None, typer.Option("--variant", metavar="NAME", help="Apply a variant; repeatable.")
]
Strict = Annotated[bool, typer.Option("--strict", help="Warnings are errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


class Usage(Exception):
    """The command line is wrong; the message says what was expected."""


def check_place(option: str, path: str | None, *endings: str) -> None:
    """Refuses a file that could not be written after the run, or has none of the endings."""
    if path is None:
        return
    place = Path(path)
    if endings and place.suffix.lower() not in endings:
        *most, last = endings
        raise Usage(
            f"{option} {path}: expected a name that ends in "
            f"{', '.join(most)}{' or ' if most else ''}{last}"
        )
    if not place.parent.is_dir():
        raise Usage(f"{option} {path}: the folder {str(place.parent)!r} does not exist")
    if place.suffix.lower() == ".parquet" and find_spec("pyarrow") is None:
        raise Usage(f"{option} {path}: Parquet needs pyarrow: pip install 'apical[tables]'")


@contextmanager
def refusals(as_json: bool) -> Iterator[None]:
    """Turns what can go wrong into a message and an exit code, and warnings into lines."""
    from ..graphs.diagnostics import CircuitError

    try:
        with warnings.catch_warnings():
            warnings.showwarning = _say_warning
            yield
    except CircuitError as error:
        _refuse(str(error), CIRCUIT_WRONG, as_json, [asdict(d) for d in error.diagnostics])
    except Exception as error:
        if isinstance(error, ArithmeticError) and _is_divergence(error):
            _refuse(str(error), NUMERICAL, as_json)
        if isinstance(error, MemoryError):
            said = f" ({error})" if str(error) else ""
            _refuse(f"apical: this needs more memory than there is{said}", USAGE, as_json)
        if not isinstance(error, (Usage, OSError, ImportError, ValueError)):
            raise
        _refuse(f"apical: {error}", USAGE, as_json)


def _say_warning(message: Warning | str, *_: Any) -> None:
    typer.echo(f"warning: {message}", err=True)


def _is_divergence(error: ArithmeticError) -> bool:
    from ..engines.divergence import Divergence

    return isinstance(error, Divergence)


def _refuse(text: str, code: int, as_json: bool, diagnostics: list[Any] | None = None) -> None:
    if as_json:
        typer.echo(json.dumps({"error": text, "code": code, "diagnostics": diagnostics or []}))
    else:
        typer.echo(text, err=True)
    raise typer.Exit(code)


def load_circuit(
    file: str,
    sets: list[str] | None,
    variants: list[str] | None,
    strict: bool = False,
    told: bool = True,
) -> Any:
    """The circuit of a file, with the parameters and variants of the command line.

    Its warnings are `told` on standard error; where the command is `strict` they are errors.
    """
    from ..graphs.load import load

    circuit = load(file, variants=variants or [], **dict(assignment(s) for s in sets or []))
    for warning in () if strict or not told else circuit.warnings:
        typer.echo(str(warning), err=True)
    return circuit.strict() if strict else circuit


def assignment(text: str) -> tuple[str, Any]:
    """`a=1`, `sizes=[64, 500, 10]`, `f=relu` as a name and a value."""
    name, sign, value = text.partition("=")
    if not sign or not name.strip().isidentifier():
        raise Usage(f"--set {text!r}: expected NAME=VALUE, as in --set h=0.05")
    try:
        return name.strip(), _value(value.strip())
    except ValueError:
        raise Usage(
            f"--set {text!r}: expected a number, a word or a list of numbers, "
            f"as in --set 'sizes=[64,500,10]'"
        ) from None


def values(text: str) -> tuple[str, list[Any]]:
    """`h=0.02,0.05`, `sizes=[64,32,10],[64,64,10]`, `I=linspace(0,3,61)`: a name, values to try."""
    name, sign, given = text.partition("=")
    if ladder := re.fullmatch(r"\s*(linspace|geomspace)\(([^,]+),([^,]+),([^,]+)\)\s*", given):
        return name.strip(), _ladder(text, *ladder.groups())
    parts = re.findall(r"\[[^\]]*\]|[^,]+", given)
    if not sign or not parts:
        raise Usage(f"--set {text!r}: expected NAME=VALUE,VALUE, as in --set h=0.02,0.05")
    return name.strip(), [assignment(f"{name}={part}")[1] for part in parts]


def _ladder(text: str, word: str, first: str, last: str, count: str) -> list[float]:
    """Evenly spaced values, or values with equal ratios, both ends among them."""
    import numpy as np

    try:
        a, b, n = float(first), float(last), int(count)
        if n < 1 or (word == "geomspace" and a * b <= 0):
            raise ValueError(text)
        return [
            float(v) for v in {"linspace": np.linspace, "geomspace": np.geomspace}[word](a, b, n)
        ]
    except ValueError:
        raise Usage(
            f"--set {text!r}: expected {word}(first,last,count), as in --set 'I=linspace(0,3,61)'"
        ) from None


def _value(text: str) -> Any:
    if text.startswith("[") and text.endswith("]"):
        return [_value(item.strip()) for item in text[1:-1].split(",")]
    if not text or "[" in text or "]" in text:
        raise ValueError(text)
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text
