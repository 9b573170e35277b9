"""Commands that report: doctor and claims."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from .application import CIRCUIT_WRONG, Json, app, refusals


@app.command()
def doctor(as_json: Json = False) -> None:
    """Print versions, engines and what they can do, devices and caches."""
    from ..engines.doctor import examine, report

    facts = examine()
    typer.echo(json.dumps(facts) if as_json else report(facts))


@app.command()
def claims(
    model: Annotated[
        str | None,
        typer.Argument(metavar="[MODEL]", help="pc, corinfomax, pem, ...; `training`."),
    ] = None,
    slow: Annotated[bool, typer.Option("--slow", help="Also those that take minutes.")] = False,
    only: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only claims whose id contains TEXT.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds per claim.")] = None,
    rows: Annotated[
        bool, typer.Option("--rows", help="What is claimed of each row, or why nothing is.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compute what the papers state, print expected and measured; exit 1 where one fails."""
    failed = False
    if rows:
        return _rows(as_json)
    with refusals(as_json):
        from ..models.claims import claims as find, run as measure

        chosen = [c for c in find(model, slow) if only is None or only in c.id]
        for verdict in measure(chosen, seeds):
            claim = verdict.claim
            failed |= verdict.holds is False
            facts = {"id": claim.id, "where": claim.where, "statement": claim.statement}
            facts |= {"rows": claim.rows, "pure": claim.pure, "ours": claim.ours}  # type: ignore[dict-item]
            facts |= {"expected": claim.expected, "kind": claim.kind}  # type: ignore[dict-item]
            facts |= {"tolerance": claim.tolerance, "values": verdict.values}  # type: ignore[dict-item]
            if as_json:
                measured = verdict.measured if verdict.values else None
                facts |= {"measured": measured, "verdict": verdict.word}  # type: ignore[dict-item]
                typer.echo(json.dumps({**facts, "missing": verdict.missing}))
                continue
            pure = "; mathematics, no circuit" if claim.pure else ""
            typer.echo(f"{claim.id} ({claim.where}{pure}): {claim.statement}")
            if verdict.missing:
                typer.echo(f"  not measured: {verdict.missing}")
                continue
            near = f" +- {claim.tolerance:g}" if claim.kind == "near" else ""
            sign = "" if claim.kind == "near" else f"{claim.kind} "
            typer.echo(
                f"  expected {sign}{claim.expected:.8g}{near}{' (ours)' if claim.ours else ''}, "
                f"measured {verdict.measured:.8g}{verdict.of}: "
                f"{verdict.word} ({verdict.seconds:.1f} s)"
            )
    if failed:
        raise typer.Exit(CIRCUIT_WRONG)


def _rows(as_json: bool) -> None:
    """The rows that must or should be claimed, each with its claims or the reason."""
    from ..models.claims.claim import Claim
    from ..models.claims.ledger import claims as find
    from ..models.claims.rows import statuses

    found = list(statuses())
    if as_json:
        typer.echo(json.dumps([{**asdict(row), "claims": ids} for row, ids in found]))
        return
    for row, ids in found:
        typer.echo(f"{row.number:>4} {row.priority}  {row.about}")
        typer.echo(f"        {', '.join(ids) or row.why}")
    every: tuple[Claim, ...] = find(slow=True)
    pure = sum(claim.pure for claim in every)
    typer.echo(
        f"{sum(bool(ids) for _, ids in found)} of {len(found)} rows are claimed, by "
        f"{len(every) - pure} claims that run circuit files and {pure} of mathematics alone"
    )
