"""Commands that train circuits: run, rerun."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ..engines.registry import ENGINES
from .shared import (
    CIRCUIT_WRONG,
    Device,
    Engine,
    File,
    Json,
    Sets,
    Strict,
    Usage,
    Variants,
    app,
    load_circuit,
    refusals,
)


@app.command()
def run(
    file: File,
    task: Annotated[str, typer.Option(help="digits, fashion or mnist.")] = "digits",
    data: Annotated[str | None, typer.Option(help="Folder of the IDX files of a task.")] = None,
    epochs: Annotated[int, typer.Option(min=0, help="Passes over the training set.")] = 1,
    batch: Annotated[int, typer.Option(min=1, help="Samples presented at once.")] = 20,
    engine: Engine = "numba",
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
        score = {name: number_of(v) for name, v in found.items()}
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
                typer.echo(f"seed {number}: test {name} {text_of(one)}")
            typer.echo(f"test {name}: {_spread(spreads[name]) if seeds > 1 else text_of(value)}")
        if out is not None:
            typer.echo(f"traces: {out}")


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
        check_out(out)
        from ..models.experiment import repeat

        again = repeat(file)
        if out is not None:
            again.traces.save(out)
        score = {name: number_of(v) for name, v in again.score.items()}
    facts = {"circuit": again.circuit.name, "same": not again.different}
    if as_json:
        typer.echo(json.dumps({**facts, **score, "different": again.different, "out": out}))
    else:
        for name, value in score.items():
            typer.echo(f"test {name}: {text_of(value)}")
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
    check_training(task, data)
    check_engine(engine, dtype)
    check_out(out)
    if out is None and record:
        raise Usage("--record needs --out FILE, the file the traces go to")


def check_training(task: str, data: str | None) -> None:
    """Refuses a task that there is not, or a folder for one that needs none."""
    _check_words(("--task", task, ("digits", "fashion", "mnist")))
    if data is not None and task == "digits":
        raise Usage("--data: the task digits comes with scikit-learn and takes no folder")


def check_engine(engine: str, dtype: str | None) -> None:
    """Refuses an engine or a precision that there is not."""
    _check_words(
        ("--engine", engine, tuple(ENGINES)),
        ("--dtype", dtype, (None, "float64", "float32")),
    )


def _check_words(*given: tuple[str, str | None, tuple[str | None, ...]]) -> None:
    for option, value, allowed in given:
        if value not in allowed:
            words = ", ".join(a for a in allowed if a)
            raise Usage(f"{option} {value}: expected one of {words}")


def check_out(out: str | None) -> None:
    """Refuses a file of traces that could not be written after the run."""
    if out is None:
        return
    place = Path(out)
    if place.suffix.lower() not in (".nc", ".npz", ".csv"):
        raise Usage(f"--out {out}: expected a name that ends in .nc, .npz or .csv")
    if not place.parent.is_dir():
        raise Usage(f"--out {out}: the folder {str(place.parent)!r} does not exist")


def _say_epoch(entry: Mapping[str, Any]) -> None:
    """One line of progress, where it does not mix with the result."""
    scores = {n: text_of(number_of(v)) for n, v in entry.items() if n not in ("epoch", "seconds")}
    told = "; ".join(f"test {name} {value}" for name, value in scores.items())
    typer.echo(f"epoch {entry['epoch']}: {told} ({entry['seconds']:.0f} s)", err=True)


def _spread(found: Mapping[str, float]) -> str:
    """Mean +- standard deviation of several seeds."""
    return f"{found['mean']:.4f} +- {found['sd']:.4f}, median {found['median']:.4f}"


def number_of(value: Any) -> Any:
    """Numbers of numpy as those of Python."""
    return value.tolist() if hasattr(value, "tolist") else value


def text_of(value: Any) -> str:
    """A number with four decimals, several of them, or a word."""
    if isinstance(value, list):
        return ", ".join(text_of(v) for v in value)
    return f"{value:.4f}" if isinstance(value, float) else str(value)
