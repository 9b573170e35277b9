"""The command `plot`: pictures of traces that lie in a file."""

from __future__ import annotations

from typing import Annotated

import typer

from .application import DRAWN, app, check_place, refusals

Out = Annotated[
    str, typer.Option("--out", "-o", metavar="FILE", help="The picture: .png, .pdf, .svg.")
]


@app.command()
def plot(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Traces: .nc or .npz.")],
    out: Out,
    kind: Annotated[
        str | None,
        typer.Option(help="lines, heatmap, energy, weights or raster; else what suits."),
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A variable; repeatable; else all.")
    ] = None,
    sample: Annotated[int, typer.Option(min=0, help="Which sample, from 0.")] = 0,
    replica: Annotated[int, typer.Option(min=0, help="Which replica, from 0.")] = 0,
) -> None:
    """Draw the traces that `run --out` or `simulate --out` wrote."""
    with refusals(False):
        check_place("--out", out, *DRAWN)
        from ..traces.traces import Traces

        Traces.open(file).plot(out, kind, names=name or None, sample=sample, replica=replica)
    typer.echo(f"picture: {out}")
