"""The command `sweep`: a circuit at every combination of values, trained or simulated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from .application import (
    DRAWN,
    NUMERICAL,
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
from .workers import Dask, Workers, workers_of


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
        str | None,
        typer.Option(
            metavar="FILE",
            help="The table goes here, too: .csv or .parquet. What stands there of this sweep is "
            "not computed again.",
        ),
    ] = None,
    plot: Annotated[
        str | None, typer.Option(metavar="FILE", help="A picture of the table: .png, .pdf, .svg.")
    ] = None,
    engine: Engine = "numba",
    replicas: Annotated[int, typer.Option(min=1, help="How many seeds, from 0 on.")] = 1,
    device: Device = None,
    threads: Threads = None,
    workers: Workers = None,
    dask: Dask = None,
    dtype: Annotated[str | None, typer.Option(help="float64 or float32.")] = None,
    variant: Variants = None,
    as_json: Json = False,
) -> None:
    """Train or simulate a circuit with every combination of values and seeds, print a table."""
    with refusals(as_json):
        check_engine(engine, dtype)
        check_place("--out", out, ".csv", ".parquet")
        check_place("--plot", plot, *DRAWN)
        from ..engines.simulation.sweeps.sweep import Sweep

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
            made = Sweep(file, grid | sizes, replicas, **options)
            with workers_of(workers, dask, len(made.simulators)) as executor:
                where = {"table": out, "executor": executor}
                rows = _trained(made, shown, settings, where)
        else:
            _check_reductions(reduce)
            made = Sweep(file, grid, replicas, **options)
            asked = (protocol, stream or [], samples, learn, record, reduce or [])
            with workers_of(workers, dask, len(made.simulators)) as executor:
                rows = _simulated(made, *asked, {"table": out, "executor": executor})
        for row in rows:
            for name in set(row) & {"variants", *followed}:
                del row[name]
        rows = [{name: number_of(value) for name, value in row.items()} for row in rows]
        whole = [row for row in rows if "error" not in row]
        if plot is not None:
            from ..traces.plots.grid import grid as draw

            draw(whole, parameters, plot, " ".join((Path(file).stem, *(variant or []))))
    for row in rows:
        said = (f"{n} {v if n in tried else _said(v)}" for n, v in row.items())
        typer.echo(json.dumps(row) if as_json else ", ".join(said))
    if out is not None and not as_json:
        typer.echo(f"table: {out}")
    if plot is not None and not as_json:
        typer.echo(f"picture: {plot}")
    if len(whole) < len(rows):
        raise typer.Exit(NUMERICAL)


def _trained(made: Any, task: Any, settings: Any, where: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The test scores of each point, after training."""
    from ..models.tasks.sizes import check_sizes

    for simulator in made.simulators:
        check_sizes(simulator.circuit, task)
    options = {"epochs": settings.epochs, "batch": settings.batch, "shuffle": task.shuffle}
    return made.score(task.train, task.test, **where, **options)


def _simulated(
    made: Any,
    protocol: str,
    texts: list[str],
    samples: int | None,
    learn: bool,
    record: list[str] | None,
    reductions: list[str],
    where: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """The reduced records of each point."""
    circuit = made.simulators[0].circuit
    chosen = chosen_protocol(circuit, protocol)
    records = records_of(circuit, record)
    arrays, count = streams_of(circuit, chosen, texts, 0, samples, learn, records)
    return made.measure(
        chosen,
        reductions,
        **where,
        learn=learn,
        record=records,
        samples=None if arrays else count,
        streams=arrays,
    )


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_said, value))
    return value if isinstance(value, str) else f"{value:.6g}"


def _check_reductions(given: list[str] | None) -> None:
    from ..traces.row_reductions import REDUCTIONS

    for word in given or []:
        if word not in REDUCTIONS:
            raise Usage(f"--reduce {word}: expected one of {', '.join(REDUCTIONS)}")
