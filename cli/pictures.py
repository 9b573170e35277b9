"""The commands `draw`, a picture of a circuit, `plot`, one of traces, and `report`, a page."""

from __future__ import annotations

from typing import Annotated

import typer

from .application import DRAWN, File, Sets, Variants, app, check_place, load_circuit, refusals

Out = Annotated[
    str, typer.Option("--out", "-o", metavar="FILE", help="The picture: .png, .pdf, .svg.")
]


@app.command()
def draw(
    file: File,
    out: Out,
    width: Annotated[
        float, typer.Option(min=2.0, max=40.0, help="Inches; 7 is two columns, 3.4 one.")
    ] = 7.0,
    protocol: Annotated[
        str | None, typer.Option(help="Whose timeline; default 'train' or the first, '' none.")
    ] = None,
    fold: Annotated[bool, typer.Option(help="Draw alike members of long families as dots.")] = True,
    sets: Sets = None,
    variant: Variants = None,
) -> None:
    """Draw a circuit: its cells and synapses, and a protocol as a timeline."""
    with refusals(False):
        check_place("--out", out, *DRAWN)
        circuit = load_circuit(file, sets, variant, told=False)
        circuit.draw(out, width=width, protocol=protocol, fold=fold)
    typer.echo(f"picture: {out}")


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


@app.command()
def report(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Traces: .nc or .npz.")],
    out: Annotated[str, typer.Option("--out", "-o", metavar="FILE", help="The page: .html.")],
) -> None:
    """Write a page on a run: circuit, equations, scores, traces, audit, and what made it."""
    with refusals(False):
        check_place("--out", out, ".html")
        from ..traces.atomic import replacing
        from ..traces.report_page import report as page
        from ..traces.traces import Traces

        text = page(Traces.open(file))
        with replacing(out) as draft:
            draft.write_text(text, encoding="utf-8")
    typer.echo(f"report: {out}")
