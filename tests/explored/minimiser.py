"""A smaller case that still disagrees: lines, calls, replicas and records are left out in turn."""

from __future__ import annotations

from dataclasses import replace

from .circuits import Case
from .comparison import compared


def minimised(case: Case, engine: str) -> Case:
    """The smallest case that the steps below lead to; of the same kind of disagreement."""
    kind = _kind(case, engine)
    before = None
    while before != case:
        before = case
        for smaller in _PASSES:
            at = 0
            while (candidate := smaller(case, at)) is not None:
                if candidate != case and _kind(candidate, engine) == kind:
                    case = candidate
                else:
                    at += 1
    return case


def _kind(case: Case, engine: str) -> str | None:
    try:
        outcome = compared(case, [engine])[engine]
    except Exception:
        return None
    if outcome.kind != "disagreement":
        return None
    first = outcome.what[0]
    return first.split(":")[0] if "Error" in first else "differs"


def _without_call(case: Case, at: int) -> Case | None:
    if at >= len(case.calls) or len(case.calls) == 1:
        return None
    return replace(case, calls=case.calls[:at] + case.calls[at + 1 :])


SIMPLER = ({"carry": False}, {"initial": None}, {"learn": False}, {"own": False}, {"batch": 1},
           {"samples": 1}, {"samples": 2})  # fmt: skip


def _simpler_call(case: Case, at: int) -> Case | None:
    number, which = divmod(at, len(SIMPLER))
    if number >= len(case.calls):
        return None
    call = replace(case.calls[number], **SIMPLER[which])
    return replace(case, calls=(*case.calls[:number], call, *case.calls[number + 1 :]))


def _one_replica(case: Case, at: int) -> Case | None:
    found = [replace(case, replicas=1, parameters={}), replace(case, parameters={})]
    return found[at] if at < len(found) else None


def _without_lines(case: Case, at: int) -> Case | None:
    """Without a line and what stands below it."""
    lines = case.text.splitlines()
    if at >= len(lines):
        return None
    stop = at + 1
    while stop < len(lines) and _depth(lines[stop]) > _depth(lines[at]):
        stop += 1
    return replace(case, text="\n".join(lines[:at] + lines[stop:]) + "\n")


def _without_record(case: Case, at: int) -> Case | None:
    if at >= len(case.record) or len(case.record) == 1:
        return None
    return replace(case, record=case.record[:at] + case.record[at + 1 :])


_PASSES = (_without_call, _simpler_call, _one_replica, _without_record, _without_lines)


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
