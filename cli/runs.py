"""Commands that train circuits: run, rerun."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Annotated, Any

import typer

from ..engines.registry import ENGINES
from .application import (
    CIRCUIT_WRONG,
    DRAWN,
    Device,
    Engine,
    File,
    Json,
    Sets,
    Strict,
    Threads,
    Usage,
    Variants,
    app,
    check_place,
    load_circuit,
    refusals,
)

Task = Annotated[
    str | None,
    typer.Option(
        metavar="TASK", help="'digits', 'separation(domain=sparse)'; else the file's own."
    ),
]
Data = Annotated[str | None, typer.Option(help="Folder of the files of a task.")]
Batch = Annotated[
    int | None, typer.Option(min=1, help="Samples presented at once; else the task's own.")
]


@app.command()
def run(
    file: File,
    task: Task = None,
    data: Data = None,
    epochs: Annotated[
        int | None, typer.Option(min=0, help="Passes over the samples; else the task's own.")
    ] = None,
    batch: Batch = None,
    engine: Engine = "numba",
    seed: Annotated[int, typer.Option(help="Seed of weights, shuffling and noise.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from --seed on.")] = 1,
    device: Device = None,
    threads: Threads = None,
    dtype: Annotated[str | None, typer.Option(help="float64 or float32.")] = None,
    sets: Sets = None,
    variant: Variants = None,
    record: Annotated[
        list[str] | None,
        typer.Option(metavar="WHAT", help="'layer[1].v_A', 'F every 5', 'W[1]'; repeatable."),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Traces go here: .nc, .npz, .csv or .parquet."),
    ] = None,
    picture: Annotated[
        str | None, typer.Option(metavar="FILE", help="A picture of what the task shows: .png.")
    ] = None,
    plot: Annotated[
        str | None, typer.Option(metavar="FILE", help="Test scores over the epochs: .png, .svg.")
    ] = None,
    save: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Checkpoint after each epoch: .safetensors."),
    ] = None,
    every: Annotated[
        int | None, typer.Option(min=1, help="Also after so many presentations; with --save.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the file of --save, if it is there.")
    ] = False,
    trace_samples: Annotated[
        int, typer.Option(min=1, help="Test samples in the traces of --out.")
    ] = 10,
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Train a circuit on a task with one seed or several, print the test scores, write traces."""
    with refusals(as_json):
        _check_run(task, data, engine, dtype, out, record)
        check_place("--picture", picture)
        check_place("--plot", plot, *DRAWN)
        check_place("--save", save, ".safetensors")
        if save is None and (resume or every is not None):
            raise Usage(f"--{'resume' if resume else 'every'} needs --save FILE, the checkpoint")
        from ..models.experiment import Experiment, spread
        from ..models.saved_training import SavedTraining, terminated_as_interrupted

        circuit = load_circuit(file, sets, variant, strict)
        check_recorded(circuit, record, out)
        names = tuple(record) if record is not None else None
        asked = Experiment(
            task,
            data,
            epochs,
            batch,
            engine,
            seed,
            dtype,
            names,
            trace_samples,
            seeds,
            device,
            threads,
        )
        experiment, shown = asked.settled(circuit)
        if shown.picture is not None and not as_json:
            stem = "-".join((circuit.name, *circuit.source.variants))
            out, picture = out or f"{stem}.nc", picture or f"{stem}.png"
        saved = None if save is None else SavedTraining(save, every, resume)
        with nullcontext() if saved is None else terminated_as_interrupted():
            outcome = experiment.perform(circuit, out is not None, _say_epoch, _say, shown, saved)
        if plot is not None and len(outcome.history):
            outcome.history.plot(plot, _title(circuit.name, experiment))
        score = {name: number_of(v) for name, v in outcome.score.items()}
        spreads = {name: spread(v) for name, v in score.items()} if seeds > 1 else {}
        written: dict[str, str | None] = {"traces": _saved(outcome, out)}
        written["picture"] = _drawn(outcome, picture)
        written["scores over epochs"] = plot
        settings = {"circuit": circuit.name, "task": experiment.task}
        settings |= {"epochs": experiment.epochs, "batch": experiment.batch, "engine": engine}
        settings |= {"seed": seed} | ({"seeds": seeds} if seeds > 1 else {})
        if as_json:
            flat = {f"{n}_{key}": v for n, found in spreads.items() for key, v in found.items()}
            files = {"out": out} | ({"picture": picture} if picture else {})
            files |= {"plot": plot} if plot else {}
            typer.echo(json.dumps({**settings, **score, **flat, **files}))
            return
        typer.echo(", ".join(f"{name} {value}" for name, value in settings.items()))
        for name, value in score.items():
            for number, one in enumerate(value if seeds > 1 else [], seed):
                typer.echo(f"seed {number}: test {name} {text_of(one)}")
            typer.echo(f"test {name}: {_spread(spreads[name]) if seeds > 1 else text_of(value)}")
        for line in outcome.lines:
            typer.echo(line)
        for what, said in written.items():
            if said:
                typer.echo(f"{what}: {said}")


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
    task: str | None,
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


def check_recorded(circuit: Any, record: list[str] | None, out: str | None) -> None:
    """Refuses to write traces of nothing."""
    if out is None or record or circuit.record:
        return
    predicted = next((f"{v.population}.{v.name}" for v in circuit.predicts.values()), "F")
    raise Usage(
        f"--out {out}: {circuit.name} states no record, so the file would be empty: say what, as "
        f"in --record '{predicted}'"
    )


def check_training(task: str | None, data: str | None) -> None:
    """Refuses a task that there is not, or a folder for one that reads no files."""
    if task is not None:
        from ..models.tasks.choice import check_choice

        check_choice(task, data)


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
    check_place("--out", out, ".nc", ".npz", ".csv", ".parquet")


def _title(name: str, experiment: Any) -> str:
    """`pc on digits, seeds 0 to 2`."""
    last = experiment.seed + experiment.seeds - 1
    seeds = f"seeds {experiment.seed} to {last}" if experiment.seeds > 1 else f"seed {last}"
    return f"{name} on {experiment.task}, {seeds}"


def _saved(outcome: Any, out: str | None) -> str:
    """Writes the traces; what there is to say of it."""
    if out is None or outcome.traces is None:
        return ""
    outcome.traces.save(out)
    return out


def _drawn(outcome: Any, picture: str | None) -> str:
    """Writes the picture; what there is to say of it."""
    if picture is None:
        return ""
    if outcome.task.picture is None:
        raise Usage(f"--picture {picture}: the task {outcome.task.name} has no picture to draw")
    try:
        outcome.task.picture(outcome.predictions).savefig(picture, dpi=120)
    except ModuleNotFoundError:
        return "none, as matplotlib is not installed: pip install 'apical[demo]'"
    return picture


def _say(line: str) -> None:
    """Something to know beforehand, where it does not mix with the result."""
    typer.echo(line, err=True)


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
