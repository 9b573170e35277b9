"""Commands that run circuits: run, sweep, rerun."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from .shared import (
    CIRCUIT_WRONG,
    Device,
    File,
    Json,
    Sets,
    Strict,
    Usage,
    Variants,
    app,
    load_circuit,
    refusals,
    values,
)


@app.command()
def run(
    file: File,
    task: Annotated[str, typer.Option(help="digits, fashion or mnist.")] = "digits",
    data: Annotated[str | None, typer.Option(help="Folder of the IDX files of a task.")] = None,
    epochs: Annotated[int, typer.Option(min=0, help="Passes over the training set.")] = 1,
    batch: Annotated[int, typer.Option(min=1, help="Samples presented at once.")] = 20,
    engine: Annotated[str, typer.Option(help="numba, numpy or torch.")] = "numba",
    seed: Annotated[int, typer.Option(help="Seed of weights, shuffling and noise.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from --seed on.")] = 1,
    device: Device = None,
    dtype: Annotated[str | None, typer.Option(help="float64 or float32.")] = None,
    sets: Sets = None,
    variant: Variants = None,
    record: Annotated[
        list[str] | None,
        typer.Option(metavar="WHAT", help="'layer[1].v_A', 'F', 'F every 5'; repeatable."),
    ] = None,
    out: Annotated[
        str | None, typer.Option(metavar="FILE", help="Traces go here: .nc, .npz or .csv.")
    ] = None,
    trace_samples: Annotated[
        int, typer.Option(min=1, help="Test samples in the traces of --out.")
    ] = 10,
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Train a circuit on a task with one seed or several, print the test accuracy, write traces."""
    with refusals(as_json):
        _check_run(task, data, engine, dtype, out, record)
        from ..models.experiment import Experiment, spread

        circuit = load_circuit(file, sets, variant, strict)
        names = tuple(record) if record is not None else None
        experiment = Experiment(
            task, data, epochs, batch, engine, seed, dtype, names, trace_samples, seeds, device
        )
        found, traces = experiment.perform(circuit, out is not None, _say_epoch)
        score = {name: _number(v) for name, v in found.items()}
        spreads = {name: spread(v) for name, v in score.items()} if seeds > 1 else {}
        if out is not None and traces is not None:
            traces.save(out)
        settings = {"circuit": circuit.name, "task": task, "epochs": epochs, "batch": batch}
        settings |= {"engine": engine, "seed": seed} | ({"seeds": seeds} if seeds > 1 else {})
        if as_json:
            flat = {f"{n}_{key}": v for n, found in spreads.items() for key, v in found.items()}
            typer.echo(json.dumps({**settings, **score, **flat, "out": out}))
            return
        typer.echo(", ".join(f"{name} {value}" for name, value in settings.items()))
        for name, value in score.items():
            for number, one in enumerate(value if seeds > 1 else [], seed):
                typer.echo(f"seed {number}: test {name} {_text(one)}")
            typer.echo(f"test {name}: {_spread(spreads[name]) if seeds > 1 else _text(value)}")
        if out is not None:
            typer.echo(f"traces: {out}")


@app.command()
def sweep(
    file: File,
    sets: Annotated[
        list[str], typer.Option("--set", metavar="NAME=V,V,...", help="Values to try; repeatable.")
    ],
    task: Annotated[str, typer.Option(help="digits, fashion or mnist.")] = "digits",
    data: Annotated[str | None, typer.Option(help="Folder of the IDX files of a task.")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training set.")] = 1,
    batch: Annotated[int, typer.Option(min=1, help="Samples presented at once.")] = 20,
    engine: Annotated[str, typer.Option(help="numba, numpy or torch.")] = "numba",
    replicas: Annotated[int, typer.Option(min=1, help="How many seeds, from 0 on.")] = 1,
    device: Device = None,
    dtype: Annotated[str | None, typer.Option(help="float64 or float32.")] = None,
    variant: Variants = None,
    as_json: Json = False,
) -> None:
    """Train a circuit with every combination of values and seeds, print the test accuracies."""
    with refusals(as_json):
        _check_run(task, data, engine, dtype, None, None)
        from ..engines.simulation.sweep import Sweep
        from ..models import tasks
        from ..models.tasks.sizes import check_sizes

        grid: dict[str, Any] = dict(values(s) for s in sets)
        tried = list(grid)
        grid["variants"] = [variant or []]
        images = getattr(tasks, task)() if data is None else getattr(tasks, task)(data)
        made = Sweep(file, grid, replicas, engine=engine, dtype=dtype, device=device)
        for simulator in made.simulators:
            check_sizes(simulator.circuit, images)
        made.fit(images.train, epochs=epochs, batch=batch)
        for row in made.evaluate(images.test):
            del row["variants"]
            row = {name: _number(value) for name, value in row.items()}
            said = (f"{n} {v if n in tried or n == 'seed' else _text(v)}" for n, v in row.items())
            typer.echo(json.dumps(row) if as_json else ", ".join(said))


@app.command()
def rerun(
    file: Annotated[str, typer.Argument(metavar="FILE", help="What `run --out` wrote.")],
    out: Annotated[
        str | None, typer.Option(metavar="FILE", help="The traces of the new run go here.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a run again from the manifest in its file; exit 1 if it is not the same, bit for bit."""
    with refusals(as_json):
        _check_out(out)
        from ..models.experiment import repeat

        again = repeat(file)
        if out is not None:
            again.traces.save(out)
        score = {name: _number(v) for name, v in again.score.items()}
    facts = {"circuit": again.circuit.name, "same": not again.different}
    if as_json:
        typer.echo(json.dumps({**facts, **score, "different": again.different, "out": out}))
    else:
        for name, value in score.items():
            typer.echo(f"test {name}: {_text(value)}")
        for name, (then, now) in again.versions.items():
            typer.echo(f"{name} was {then}, is {now or 'not installed'}")
        said = f"not the same: {', '.join(again.different)}" if again.different else "the same bits"
        typer.echo(f"{file}: {said}")
    if again.different:
        raise typer.Exit(CIRCUIT_WRONG)


def _check_run(
    task: str,
    data: str | None,
    engine: str,
    dtype: str | None,
    out: str | None,
    record: list[str] | None,
) -> None:
    """Refuses before the training what would be refused after it."""
    for option, value, allowed in (
        ("--task", task, ("digits", "fashion", "mnist")),
        ("--engine", engine, ("numba", "numpy", "torch")),
        ("--dtype", dtype, (None, "float64", "float32")),
    ):
        if value not in allowed:
            words = ", ".join(a for a in allowed if a)
            raise Usage(f"{option} {value}: expected one of {words}")
    if data is not None and task == "digits":
        raise Usage("--data: the task digits comes with scikit-learn and takes no folder")
    _check_out(out)
    if out is None and record:
        raise Usage("--record needs --out FILE, the file the traces go to")


def _check_out(out: str | None) -> None:
    if out is None:
        return
    place = Path(out)
    if place.suffix.lower() not in (".nc", ".npz", ".csv"):
        raise Usage(f"--out {out}: expected a name that ends in .nc, .npz or .csv")
    if not place.parent.is_dir():
        raise Usage(f"--out {out}: the folder {str(place.parent)!r} does not exist")


def _say_epoch(entry: Mapping[str, Any]) -> None:
    """One line of progress, where it does not mix with the result."""
    scores = {n: _text(_number(v)) for n, v in entry.items() if n not in ("epoch", "seconds")}
    told = "; ".join(f"test {name} {value}" for name, value in scores.items())
    typer.echo(f"epoch {entry['epoch']}: {told} ({entry['seconds']:.0f} s)", err=True)


def _spread(found: Mapping[str, float]) -> str:
    """Mean +- standard deviation of several seeds."""
    return f"{found['mean']:.4f} +- {found['sd']:.4f}, median {found['median']:.4f}"


def _number(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_text(v) for v in value)
    return f"{value:.4f}" if isinstance(value, float) else str(value)
