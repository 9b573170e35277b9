"""Mutate circuits by the thousand, and say how many mistakes are told, and how.

python -m pytest tests/mutations                          the fixed set of CI
python tests/mutations --count 1017 --seed 1              as many as asked for
python tests/mutations --breaks --count 100 --seed 1      do claims and stored arrays see a break?
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Exit code 0 where no traceback, at most 3 in 1,000 silent and 98 % on the right line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=None, help="default 1017; of breaks 100")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--breaks", action="store_true", help="breaks that the loader cannot see")
    parser.add_argument("--files", default="", help="only these circuits: pc,pem (of breaks)")
    parser.add_argument("--show", action="store_true", help="all that is not told on its line")
    asked = parser.parse_args()
    if asked.breaks:
        return _breaks(asked.count or 100, asked.seed, tuple(filter(None, asked.files.split(","))))
    asked.count = asked.count or 1017
    judging = _package("judging")
    verdicts = [judging.judge(one) for one in judging.draw(asked.count, asked.seed)]
    words = Counter(v.word for v in verdicts)
    changed = len(verdicts) - words["same"]
    for verdict in verdicts:
        bad = verdict.word in ("silent", "traceback") or (
            asked.show and verdict.word == "elsewhere"
        )
        if bad:
            one = verdict.mutation
            first = str(verdict.diagnostics[0]).splitlines()[0] if verdict.diagnostics else ""
            where = f"{one.file}{'+' + one.variant if one.variant else ''}:{one.lines[0]}"
            print(f"{verdict.word:<10} {one.kind:<26} {where}  {one.wrong}  {first}{verdict.said}")
    print(f"{len(verdicts)} mutations of seed {asked.seed}; {words['same']} change no circuit")
    for word, what in (
        ("traceback", "end in a traceback"),
        ("right", "are told on the right line, or by a message that names them"),
        ("elsewhere", "are told elsewhere"),
        ("silent", "change the circuit silently"),
    ):
        print(f"{words[word]:>6} {100 * words[word] / changed:6.2f} %  {what}")
    good = words["right"] >= 0.98 * changed and words["silent"] <= 0.003 * asked.count
    return 0 if good and not words["traceback"] else 1


def _breaks(count: int, seed: int, files: tuple[str, ...]) -> int:
    """Exit code 0 where 95 of 100 breaks turn something red."""
    from apical.graphs.load import bundled

    breaks, breaking = _package("breaks"), _package("breaking")
    told: Counter[str] = Counter()
    drawn = breaks.draw(count, seed, files or bundled(), told)
    print(
        f"drawn with seed {seed}: {dict(told)}; only those that load in silence are judged",
        flush=True,
    )
    found = []
    for fate in breaking.fates(drawn):
        found.append(fate)
        print(f"{fate.seconds:5.1f} s  {fate.broken}   {fate.red or 'SURVIVES'}", flush=True)
    breaking.report(found)
    return 0 if sum(bool(fate.red) for fate in found) >= 0.95 * count else 1


def _package(name: str):
    """A module of this folder, which is no package by itself."""
    spec = importlib.util.spec_from_file_location(
        "mutating", HERE / "__init__.py", submodule_search_locations=[str(HERE)]
    )
    if spec is not None:
        sys.modules["mutating"] = importlib.util.module_from_spec(spec)
    return importlib.import_module(f"mutating.{name}")


if __name__ == "__main__":
    sys.exit(main())
