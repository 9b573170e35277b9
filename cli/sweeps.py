"""The command `sweep`: a circuit at every combination of values, trained or simulated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from .application import (
    DRAWN,
    Device,
    Engine,
    File,
    Json,
    Threads,
    Usage,
    Variants,
    app,
    check_place,
    load_circuit,
    refusals,
    values,
)
from .runs import Batch, Data, Task, check_engine, check_training, number_of
from .simulate import GivenStreams, Records, Samples, chosen_protocol, records_of, streams_of


@app.command()
def sweep(
    file: File,
    sets: Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="NAME=V,V,...",
            help="Values to try, or linspace(a,b,n), geomspace(a,b,n); repeatable.",
        ),
    ],
    task: Task = None,
    data: Data = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training set.")] = 1,
    batch: Batch = None,
    protocol: Annotated[
        str | None, typer.Option(help="Simulate this protocol instead of training.")
    ] = None,
    stream: GivenStreams = None,
    samples: Samples = None,
    learn: Annotated[bool, typer.Option("--learn", help="Rules act in the protocol.")] = False,
    record: Records = None,
    reduce: Annotated[
        list[str] | None,
        typer.Option(metavar="HOW", help="last, mean, min, max or sd of records; repeatable."),
    ] = None,
    out: Annotated[
        str | None, typer.Option(metavar="FILE.csv", help="The table goes here, too.")
    ] = None,
    plot: Annotated[
        str | None, typer.Option(metavar="FILE", help="A picture of the table: .png, .pdf, .svg.")
    ] = None,
    engine: Engine = "numba",
    replicas: Annotated[int, typer.Option(min=1, help="How many seeds, from 0 on.")] = 1,
    device: Device = None,
    threads: Threads = None,
    dtype: Annotated[str | None, typer.Option(help="float64 or float32.")] = None,
    variant: Variants = None,
    as_json: Json = False,
) -> None:
    """Train or simulate a circuit with every combination of values and seeds, print a table."""
    with refusals(as_json):
        check_engine(engine, dtype)
        check_place("--out", out, ".csv")
        check_place("--plot", plot, *DRAWN)
        from ..engines.simulation.sweep import Sweep

        grid: dict[str, Any] = dict(values(s) for s in sets)
        parameters = list(grid)
        tried = [*parameters, "seed", "sample"]
        grid["variants"] = [variant or []]
        options = {"engine": engine, "dtype": dtype, "device": device, "threads": threads}
        followed: dict[str, Any] = {}
        if protocol is None:
            check_training(task, data)
            from ..models.experiment import Experiment
            from ..models.tasks.sizes import size_changes

            circuit = load_circuit(file, None, variant)
            settings, shown = Experiment(task, data, epochs, batch).settled(circuit)
            followed = size_changes(circuit, shown, tuple(grid))
            sizes = {name: [value] for name, value in followed.items()}
            rows = _trained(Sweep(file, grid | sizes, replicas, **options), shown, settings)
        else:
            _check_reductions(reduce)
            made = Sweep(file, grid, replicas, **options)
            rows = _simulated(made, protocol, stream or [], samples, learn, record, reduce or [])
        for row in rows:
            for name in set(row) & {"variants", *followed}:
                del row[name]
        rows = [{name: number_of(value) for name, value in row.items()} for row in rows]
        if out is not None:
            _write(rows, out)
        if plot is not None:
            from ..traces.plots.grid import grid as draw

            draw(rows, parameters, plot, " ".join((Path(file).stem, *(variant or []))))
    for row in rows:
        said = (f"{n} {v if n in tried else _said(v)}" for n, v in row.items())
        typer.echo(json.dumps(row) if as_json else ", ".join(said))
    if out is not None and not as_json:
        typer.echo(f"table: {out}")
    if plot is not None and not as_json:
        typer.echo(f"picture: {plot}")


def _trained(made: Any, task: Any, settings: Any) -> list[dict[str, Any]]:
    """The test scores of each point, after training."""
    from ..models.tasks.sizes import check_sizes

    for simulator in made.simulators:
        check_sizes(simulator.circuit, task)
    options = {"epochs": settings.epochs, "batch": settings.batch, "shuffle": task.shuffle}
    made.fit(task.train, **options)
    return made.evaluate(task.test)


def _simulated(
    made: Any,
    protocol: str,
    texts: list[str],
    samples: int | None,
    learn: bool,
    record: list[str] | None,
    reductions: list[str],
) -> list[dict[str, Any]]:
    """The reduced records of each point."""
    circuit = made.simulators[0].circuit
    chosen = chosen_protocol(circuit, protocol)
    arrays, count = streams_of(circuit, chosen, texts, 0, samples, learn)
    runs = made.run(
        chosen,
        learn=learn,
        record=records_of(circuit, record),
        samples=None if arrays else count,
        streams=arrays,
    )
    return made.rows(runs, *reductions)


def _said(value: Any) -> str:
    return ", ".join(map(_said, value)) if isinstance(value, list) else f"{value:.6g}"


def _check_reductions(given: list[str] | None) -> None:
    from ..traces.row_reductions import REDUCTIONS

    for word in given or []:
        if word not in REDUCTIONS:
            raise Usage(f"--reduce {word}: expected one of {', '.join(REDUCTIONS)}")


def _write(rows: list[dict[str, Any]], out: str) -> None:
    """A line for each row; a list of units is a column for each."""
    import pandas

    from ..traces.atomic import replacing
    from ..traces.table import plain

    flat = [
        {
            plain(f"{name}[{unit}]" if isinstance(value, list) else name): one
            for name, value in row.items()
            for unit, one in enumerate(value if isinstance(value, list) else [value])
        }
        for row in rows
    ]
    with replacing(out) as draft:
        pandas.DataFrame(flat).to_csv(draft, index=False)
