"""The command line: `apical list | show | check | audit | run | sweep`.

Exit codes: 0 fine, 1 the circuit is wrong, 2 usage, 3 numerical failure.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

CIRCUIT_WRONG, USAGE, NUMERICAL = 1, 2, 3
BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

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
Device = Annotated[str | None, typer.Option(help="cpu or cuda, for the engine torch.")]
Variants = Annotated[
    list[str] | None, typer.Option("--variant", metavar="NAME", help="Apply a variant; repeatable.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


class Usage(Exception):
    """The command line is wrong; the message says what was expected."""


def _print_version(wanted: bool) -> None:
    if wanted:
        from . import __version__

        typer.echo(__version__)
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="The version.")
]


@app.callback()
def options(version: Version = False) -> None:
    """Circuits of multi-compartment neurons, from a YAML file to training and traces."""


@app.command("list")
def list_command(as_json: Json = False) -> None:
    """Print the bundled circuits, one line each."""
    from importlib.resources import files

    from .graphs.load import bundled

    folder = files(f"{__package__}.yaml_models")
    rows = [
        {"name": name, "title": _title((folder / f"{name}.yaml").read_text("utf-8"))}
        for name in bundled()
    ]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        typer.echo(f"{row['name']:<{width}}  {row['title']}")


@app.command()
def show(
    file: File,
    sets: Sets = None,
    variant: Variants = None,
    as_latex: Annotated[bool, typer.Option("--latex", help="Equations for a paper.")] = False,
    as_json: Json = False,
) -> None:
    """Print the expanded circuit: equations, synapses, what happens in which order."""
    with _refusals(as_json):
        circuit = _load(file, sets, variant)
        if as_json:
            from .traces.manifest import circuit_hash

            typer.echo(json.dumps({**_summary(circuit), "hash": circuit_hash(circuit)}))
            return
        if as_latex:
            from .graphs.latex import latex

            typer.echo(latex(circuit))
            return
        from .graphs.show import show as show_circuit

        typer.echo(show_circuit(circuit))


@app.command()
def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Paths or bundled names.")],
    sets: Sets = None,
    variant: Variants = None,
    as_json: Json = False,
) -> None:
    """Print what is wrong with circuit files, in any variant; exit 0 or 1."""
    from .graphs.diagnostics import CircuitError
    from .graphs.variants import check_variants

    report: list[dict[str, Any]] = []
    wrong = False
    for file in files:
        found: tuple[Any, ...] = ()
        tried = 0
        with _refusals(as_json):
            try:
                found, good = _load(file, sets, variant).warnings, True
                if not variant:
                    errors, tried = check_variants(file, **dict(map(_assignment, sets or [])))
                    found, good = (*found, *errors), not errors
            except CircuitError as error:
                found, good = error.diagnostics, False
        wrong |= not good
        report.append({"file": file, "ok": good, "diagnostics": [asdict(d) for d in found]})
        if not as_json:
            for diagnostic in found:
                typer.echo(str(diagnostic))
            if good:
                extra = f", {tried} variant(s) too" if tried else ""
                extra += f", {len(found)} warning(s)" if found else ""
                typer.echo(f"{file}: fine{extra}")
    if as_json:
        typer.echo(json.dumps(report))
    if wrong:
        raise typer.Exit(CIRCUIT_WRONG)


@app.command()
def audit(
    file: File,
    sets: Sets = None,
    variant: Variants = None,
    require: Annotated[
        str | None,
        typer.Option(metavar="LEVEL", help="local, two-cell or no-transport; else exit with 1."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print what every synapse and rule reads, and whether that is local."""
    with _refusals(as_json):
        report = _load(file, sets, variant).audit()
        failing = report.fails(require) if require is not None else ()
    typer.echo(report.to_json() if as_json else str(report))
    for finding in failing:
        typer.echo(f"{finding.name} is {finding.verdict}, not {require}", err=True)
    if failing:
        raise typer.Exit(CIRCUIT_WRONG)


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
    as_json: Json = False,
) -> None:
    """Train a circuit on a task with one seed or several, print the test accuracy, write traces."""
    with _refusals(as_json):
        _check_run(task, data, engine, dtype, out, record)
        from .models.experiment import Experiment, spread

        circuit = _load(file, sets, variant)
        for warning in circuit.warnings:
            typer.echo(str(warning), err=True)
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
    with _refusals(as_json):
        _check_run(task, data, engine, dtype, None, None)
        from .engines.sweep import Sweep
        from .models import tasks
        from .models.tasks.sizes import check_sizes

        grid: dict[str, Any] = dict(_values(s) for s in sets)
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
    with _refusals(as_json):
        _check_out(out)
        from .models.experiment import repeat

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


@app.command()
def new(file: Annotated[str, typer.Argument(metavar="FILE", help="The file to write.")]) -> None:
    """Write a commented circuit file to start from."""
    with _refusals(False):
        from .graphs.template import write

        typer.echo(f"{write(file)}: apical check, show and run read it")


@app.command()
def schema() -> None:
    """Print the JSON Schema of circuit files, for editors."""
    from .graphs.json_schema import text

    typer.echo(text(), nl=False)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Print versions, engines and what they can do, devices and caches."""
    from .engines.doctor import examine, report

    facts = examine()
    typer.echo(json.dumps(facts) if as_json else report(facts))


@app.command()
def claims(
    model: Annotated[
        str | None,
        typer.Argument(metavar="[MODEL]", help="corinfomax, ep, pem, training."),
    ] = None,
    slow: Annotated[bool, typer.Option("--slow", help="Also those that take minutes.")] = False,
    only: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only claims whose id contains TEXT.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds per claim.")] = None,
    as_json: Json = False,
) -> None:
    """Compute what the papers state, print expected and measured; exit 1 where one fails."""
    failed = False
    with _refusals(as_json):
        from .models.claims import claims as find, run as measure

        chosen = [c for c in find(model, slow) if only is None or only in c.id]
        for verdict in measure(chosen, seeds):
            claim = verdict.claim
            failed |= verdict.holds is False
            facts = {"id": claim.id, "where": claim.where, "statement": claim.statement}
            facts |= {"expected": claim.expected, "kind": claim.kind}  # type: ignore[dict-item]
            facts |= {"tolerance": claim.tolerance, "values": verdict.values}  # type: ignore[dict-item]
            if as_json:
                measured = verdict.measured if verdict.values else None
                facts |= {"measured": measured, "verdict": verdict.word}  # type: ignore[dict-item]
                typer.echo(json.dumps({**facts, "missing": verdict.missing}))
                continue
            typer.echo(f"{claim.id} ({claim.where}): {claim.statement}")
            if verdict.missing:
                typer.echo(f"  not measured: {verdict.missing}")
                continue
            near = f" +- {claim.tolerance:g}" if claim.kind == "near" else ""
            sign = "" if claim.kind == "near" else f"{claim.kind} "
            typer.echo(
                f"  expected {sign}{claim.expected:.8g}{near}, measured {verdict.measured:.8g}: "
                f"{verdict.word} ({verdict.seconds:.1f} s)"
            )
    if failed:
        raise typer.Exit(CIRCUIT_WRONG)


def main() -> None:
    """The console script `apical`; never shows a traceback for a wrong circuit or command.

    Matrix products of circuits are small: threads of BLAS wait for each other longer than they
    work, so one is the default. It must be set before numpy is imported.
    """
    for name in BLAS_THREADS:
        os.environ.setdefault(name, "1")
    try:
        app()
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
        sys.exit(130)


# --- what the commands share ----------------------------------------------------------------------


@contextmanager
def _refusals(as_json: bool) -> Iterator[None]:
    """Turns what can go wrong into a message and an exit code."""
    from .graphs.diagnostics import CircuitError

    try:
        yield
    except CircuitError as error:
        _refuse(str(error), CIRCUIT_WRONG, as_json, [asdict(d) for d in error.diagnostics])
    except Exception as error:
        if _is_divergence(error):
            _refuse(str(error), NUMERICAL, as_json)
        if not isinstance(error, (Usage, OSError, ImportError, ValueError)):
            raise
        _refuse(f"apical: {error}", USAGE, as_json)


def _is_divergence(error: Exception) -> bool:
    simulator = sys.modules.get(f"{__package__}.engines.simulator")
    return simulator is not None and isinstance(error, simulator.Divergence)


def _refuse(text: str, code: int, as_json: bool, diagnostics: list[Any] | None = None) -> None:
    if as_json:
        typer.echo(json.dumps({"error": text, "code": code, "diagnostics": diagnostics or []}))
    else:
        typer.echo(text, err=True)
    raise typer.Exit(code)


def _load(file: str, sets: list[str] | None, variants: list[str] | None) -> Any:
    from .graphs.load import load

    return load(file, variants=variants or [], **dict(_assignment(s) for s in sets or []))


def _assignment(text: str) -> tuple[str, Any]:
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


def _values(text: str) -> tuple[str, list[Any]]:
    """`h=0.02,0.05`, `sizes=[64,32,10],[64,64,10]` as a name and the values to try."""
    name, sign, values = text.partition("=")
    parts = re.findall(r"\[[^\]]*\]|[^,]+", values)
    if not sign or not parts:
        raise Usage(f"--set {text!r}: expected NAME=VALUE,VALUE, as in --set h=0.02,0.05")
    return name.strip(), [_assignment(f"{name}={part}")[1] for part in parts]


def _value(text: str) -> Any:
    if text.startswith("[") and text.endswith("]"):
        return [_value(item.strip()) for item in text[1:-1].split(",")]
    if not text or "[" in text or "]" in text:
        raise ValueError(text)
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


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


def _summary(circuit: Any) -> dict[str, Any]:
    return {
        "name": circuit.name,
        "title": circuit.title,
        "cite": circuit.cite,
        "populations": {name: p.size for name, p in circuit.populations.items()},
        "synapses": {name: list(s.shape) for name, s in circuit.synapses.items()},
        "protocols": {n: [ph.name for ph in p.phases] for n, p in circuit.protocols.items()},
    }


def _title(text: str) -> str:
    """The title of a file, read without checking it."""
    line = next((s for s in text.splitlines() if s.startswith("title:")), "title:")
    return line.removeprefix("title:").strip()


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
