"""The quick claims hold; the runner tells what holds, what fails and what could not be measured."""

from __future__ import annotations

import json

import pytest

from apical.models.claims import MODELS, Claim, claims, run


@pytest.mark.parametrize("claim", claims(), ids=lambda c: c.id)
def test_quick_claims(claim):
    (verdict,) = run([claim])
    assert verdict.holds, f"expected {claim.expected}, measured {verdict.measured}"


def test_ids_are_unique_and_slow_ones_are_asked_for(refused):
    every = claims(slow=True)
    assert len({c.id for c in every}) == len(every)
    assert {c.id.partition(".")[0] for c in every} == set(MODELS)
    assert all(c.cost == "quick" for c in claims())
    assert {"training.fashion", "training.mnist"} <= {c.id for c in every} - {
        c.id for c in claims()
    }
    with refused(ValueError):
        claims("cor")


def test_verdicts():
    def missing(seed):
        raise FileNotFoundError("no such data\nfetch them")

    made = [
        Claim("a", "", "", lambda seed: seed, 1.0, seeds=3),  # the median of 0, 1, 2
        Claim("b", "", "", lambda seed: 0.9, 1.0, 0.05),
        Claim("c", "", "", lambda seed: 0.9, 0.8, kind="at least"),
        Claim("d", "", "", lambda seed: 0.9, 0.8, kind="at most"),
        Claim("e", "", "", missing, 1.0),
        Claim("f", "", "", lambda seeds: [3 - s for s in seeds], 2.0, seeds=3, replicas=True),
    ]
    verdicts = list(run(made))
    words = ["holds", "fails", "holds", "fails", "not measured", "holds"]
    assert [v.word for v in verdicts] == words
    assert verdicts[4].missing == "no such data"
    assert verdicts[0].values == (0, 1, 2)
    assert verdicts[5].values == (3, 2, 1)


def test_command():
    from typer.testing import CliRunner

    from apical.cli import app

    out = CliRunner().invoke(app, ["claims", "pem"])
    assert out.exit_code == 0
    assert "expected 1 +- 0, measured 1: holds" in out.output
    rows = CliRunner().invoke(app, ["claims", "corinfomax", "--json", "--only", "taylor"]).output
    assert json.loads(rows)["verdict"] == "holds"


def test_rows_are_claimed_or_say_why_not():
    from typer.testing import CliRunner

    from apical.cli import app
    from apical.models.claims.rows import statuses

    for row, ids in statuses():
        assert bool(ids) != bool(row.why), f"row {row.number}: a claim or a reason, not both"
    out = CliRunner().invoke(app, ["claims", "--rows"]).output
    assert "  21 M  Thm 3.1" in out and "claims that run circuit files" in out
