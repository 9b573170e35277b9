"""Breaking: whether the claims and the stored arrays of a circuit see that it is broken.

What is run of a file, on the numpy engine: the claims of its name, and the tests of
`tests/circuits/` that name it, those apart that ask only whether engines agree.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import re
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from apical.graphs import texts as loading
from apical.models.claims import MODELS, claims, run

from .breaks import Break
from .judging import ROOT

CIRCUITS = ROOT / "tests" / "circuits"
AGREEMENT = ("test_parity", "test_interpretation")
SECONDS = 120  # a break that takes longer has made something endless


@dataclass(frozen=True)
class Fate:
    """A break, what turned red ("" where nothing did), and how long that took."""

    broken: Break
    red: str
    seconds: float


def tests_of(file: str) -> list[str]:
    """The files of circuit tests that name a circuit."""
    found = sorted(p for p in CIRCUITS.glob("test_*.py") if p.stem not in AGREEMENT)
    return [str(p) for p in found if f'"{file}"' in p.read_text("utf-8")]


def fates(broken: Sequence[Break]) -> Iterator[Fate]:
    """Each break judged in a process of its own, so that nothing is left of it."""
    context = multiprocessing.get_context("fork")
    for one in broken:
        began = time.perf_counter()
        here, there = context.Pipe(duplex=False)
        child = context.Process(target=_judge, args=(one, there))
        child.start()
        red = here.recv() if here.poll(SECONDS) else f"no end within {SECONDS} s"
        child.terminate() if red.startswith("no end") else child.join()
        yield Fate(one, red, time.perf_counter() - began)


def _judge(one: Break, answer) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            red = seen(one.file, one.text)
        except BaseException:
            red = f"ended: {traceback.format_exc(limit=-1)}"
    answer.send(red)


def seen(file: str, text: str) -> str:
    """The first claim or test that is red where `text` stands for a bundled file."""
    texts = loading.bundled_text
    loading.bundled_text = lambda name: text if name == file else texts(name)  # type: ignore[assignment]
    for claim in claims(file) if file in MODELS else ():
        try:
            (verdict,) = run([claim])
        except Exception as error:  # the circuit no longer does what the claim asks of it
            return f"{claim.id}: {type(error).__name__}"
        if verdict.holds is False:
            return claim.id
    red = _Red()
    options = ["-x", "-q", "-k", "not numba and not torch", "-p", "no:cacheprovider"]
    code = pytest.main([*options, "--rootdir", str(ROOT), *tests_of(file)], plugins=[red])
    return red.name or ("" if code in (0, 5) else f"pytest: {code}")


class _Red:
    """Remembers the first test that failed."""

    name = ""

    def pytest_runtest_logreport(self, report) -> None:
        if report.failed and not self.name:
            self.name = re.sub(r"^.*/", "", report.nodeid)


def report(found: Sequence[Fate], out=sys.stdout) -> None:
    """The survivors, and what saw the rest."""
    survivors = [fate.broken for fate in found if not fate.red]
    print(f"{len(found) - len(survivors)} of {len(found)} breaks turn something red", file=out)
    by_claim = sum(fate.red.partition(".")[0] in MODELS for fate in found if fate.red)
    print(f"  {by_claim} of them a claim; survivors:", file=out)
    for one in survivors:
        print(f"  {one}", file=out)
