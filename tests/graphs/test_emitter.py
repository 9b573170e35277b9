"""The emitter's nesting: a branch leaves nothing current, a dry run leaves nothing at all."""

from __future__ import annotations

import pytest

import apical
from apical.graphs.buffer import STEP
from apical.graphs.expressions.tree import Load, Number
from apical.graphs.instructions import Branch
from apical.graphs.lowering.emitter import Emitter
from apical.graphs.lowering.transmission import Transmission


@pytest.fixture
def at() -> Emitter:
    at = Emitter(apical.load("pc", sizes=[4, 3, 2]))
    Transmission(at)
    return at


def test_what_a_branch_makes_is_made_again_after_it(at):
    error = at.variable("layer[1]", "e")
    with at.branch(Load(at.counter("step"))):
        at.need(error)
    assert error not in at.valid
    at.need(error)
    branch, *after = at.take()
    assert isinstance(branch, Branch) and branch.condition == Load(STEP)
    assert error in branch.writes and error in {name for i in after for name in i.writes}


def test_what_a_branch_changes_is_not_current_after_it(at):
    error, activity = at.variable("layer[1]", "e"), at.variable("layer[1]", "x")
    at.need(error)
    with at.branch(Load(at.counter("step"))):
        at.assign(activity, Number(1.0))
    assert error not in at.valid


def test_a_dry_run_leaves_nothing(at):
    error = at.variable("layer[1]", "e")
    with at.dry_run(set()) as found:
        at.passing("mean", error, "sample")
        at.need(error)
    assert error in found.valid and error in {name for i in found.code for name in i.writes}
    assert not at.take() and error not in at.valid and at.made_so_far == 0


def test_a_dry_run_tells_what_stands_still(at):
    error, activity = at.variable("layer[1]", "e"), at.variable("layer[1]", "x")
    with at.dry_run(set(), moved={activity}) as found:
        at.need(error)
    below = at.reach(error)
    assert found.asked and all(activity not in at.reach(name) for name in found.asked)
    assert set(found.asked) <= below and error not in found.asked
