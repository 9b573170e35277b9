"""Commands about circuit files: list, show, check, audit, new, schema."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer

from .application import (
    CIRCUIT_WRONG,
    File,
    Json,
    Sets,
    Strict,
    Variants,
    app,
    assignment,
    load_circuit,
    refusals,
)


@app.command("list")
def list_command(as_json: Json = False) -> None:
    """Print the bundled circuits, one line each."""
    from dataclasses import asdict

    from ..graphs.reports.bundled_circuits import circuits

    found = circuits()
    typer.echo(json.dumps([asdict(one) for one in found.values()]) if as_json else str(found))


@app.command()
def show(
    file: File,
    sets: Sets = None,
    variant: Variants = None,
    as_latex: Annotated[bool, typer.Option("--latex", help="Equations for a paper.")] = False,
    as_json: Json = False,
) -> None:
    """Print the expanded circuit: equations, synapses, what happens in which order."""
    with refusals(as_json):
        circuit = load_circuit(file, sets, variant)
        if as_json:
            from ..traces.manifest import circuit_hash

            typer.echo(json.dumps({**_summary(circuit), "hash": circuit_hash(circuit)}))
            return
        if as_latex:
            from ..graphs.reports.latex import latex

            typer.echo(latex(circuit))
            return
        from ..graphs.reports.show import show as show_circuit
        from .simulate import commands

        words = [file]
        words += [word for name in variant or [] for word in ("--variant", name)]
        words += [word for text in sets or [] for word in ("--set", text)]
        typer.echo(show_circuit(circuit))
        typer.echo("\n".join(["", "to run it", *(f"  {c}" for c in commands(words, circuit))]))


@app.command()
def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Paths or bundled names.")],
    sets: Sets = None,
    variant: Variants = None,
    strict: Strict = False,
    energy: Annotated[
        bool, typer.Option("--energy", help="Compare dynamics with -dE/dx, rules with -dE/dW.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print what is wrong with circuit files, in any variant; exit 0 or 1."""
    from ..graphs.diagnostics import CircuitError
    from ..graphs.variant_trials import check_variants

    report: list[dict[str, Any]] = []
    wrong = False
    for file in files:
        found: tuple[Any, ...] = ()
        tried = 0
        with refusals(as_json):
            try:
                found = load_circuit(file, sets, variant, told=False).warnings
                if not variant:
                    more, tried = check_variants(file, **dict(map(assignment, sets or [])))
                    found = (*found, *more)
            except CircuitError as error:
                found = error.diagnostics
        good = all(d.warning and not strict for d in found)
        wrong |= not good
        report.append({"file": file, "ok": good, "diagnostics": [asdict(d) for d in found]})
        if not as_json:
            for diagnostic in found:
                typer.echo(str(diagnostic))
            if good:
                extra = f", {tried} variant(s) too" if tried else ""
                extra += f", {len(found)} warning(s)" if found else ""
                typer.echo(f"{file}: fine{extra}")
        if energy and all(d.warning for d in found):
            wrong |= not _descends(file, sets, variant, report[-1], as_json)
    if as_json:
        typer.echo(json.dumps(report))
    if wrong:
        raise typer.Exit(CIRCUIT_WRONG)


def _descends(file: str, sets: Any, variant: Any, report: dict[str, Any], as_json: bool) -> bool:
    """Whether the circuit descends its first energy; what was found is printed or reported."""
    from ..engines.simulation.energy_check import check_energy

    with refusals(as_json):
        found = check_energy(load_circuit(file, sets, variant, told=False))
    report["energy"] = {"name": found.energy, "findings": [asdict(f) for f in found.findings]}
    if not as_json:
        typer.echo(f"{file}: {found.energy}\n{found}")
    return found.good


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
    with refusals(as_json):
        report = load_circuit(file, sets, variant).audit()
        failing = report.fails(require) if require is not None else ()
    typer.echo(report.to_json() if as_json else str(report))
    for finding in failing:
        typer.echo(f"{finding.name} is {finding.verdict}, not {require}", err=True)
    if failing:
        raise typer.Exit(CIRCUIT_WRONG)


@app.command()
def new(file: Annotated[str, typer.Argument(metavar="FILE", help="The file to write.")]) -> None:
    """Write a commented circuit file to start from."""
    with refusals(False):
        from .template import write

        typer.echo(f"{write(file)}: apical check, show and run read it")


@app.command()
def schema() -> None:
    """Print the JSON Schema of circuit files, for editors."""
    from ..graphs.reading.json_schema import text

    typer.echo(text(), nl=False)


def _summary(circuit: Any) -> dict[str, Any]:
    return {
        "name": circuit.name,
        "title": circuit.title,
        "cite": circuit.cite,
        "populations": {name: p.size for name, p in circuit.populations.items()},
        "synapses": {name: list(s.shape) for name, s in circuit.synapses.items()},
        "protocols": {n: [ph.name for ph in p.phases] for n, p in circuit.protocols.items()},
    }
