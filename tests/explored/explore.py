"""Explores random circuits: every engine against the interpreter, for as long as there is time.

    python tests/explored/explore.py --seeds 0:2000 --minutes 30 --engines numpy,torch,numba
        --results results.jsonl

One line of the results per seed and engine. What stands there already, of this state of the code,
is not run again, so that ranges and evenings add up. Circuits run in processes of their own, a few
to each: one that dies is a disagreement, too. `numba-text` is what numba would compile, run by
Python: 50 times as many circuits in an hour, and an index out of bounds is an error. `--bounds`
compiles with bounds checks, into a cache folder of its own. `--show 17` prints a case,
`--minimise 17` its smallest part that still disagrees.
"""

from __future__ import annotations

import argparse
import collections
import ctypes
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = 60  # circuits of one process
SECONDS = 120  # for one circuit and one engine
ROOMS = ("compartments", "graphs", "engines", "traces", "tests/interpreter", "tests/explored")


def code() -> str:
    """What the results are of: a hash of the text of everything that they depend on."""
    found = hashlib.sha256()
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*")):
            if path.suffix in (".py", ".lark") and path.name != "explore.py":
                found.update(path.read_bytes())
    return found.hexdigest()[:12]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="0:100", help="first:last+1")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--engines", default="numpy,torch,numba-text")
    parser.add_argument("--results", type=Path, default=Path("explored.jsonl"))
    parser.add_argument("--bounds", action="store_true", help="numba with bounds checks")
    parser.add_argument("--without", default="", help="features, between semicolons, to leave out")
    parser.add_argument("--show", type=int, help="print the case of a seed")
    parser.add_argument("--minimise", type=int, help="print its smallest part that disagrees")
    parser.add_argument("--worker", nargs="*", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


# --- in a process of its own ---------------------------------------------------------------------


def prepare(engines: list[str]) -> None:
    """Imports from the checkout; numba's text can be run by Python but for three intrinsics."""
    sys.path.insert(0, str(ROOT))
    if "numba-text" in engines:
        from apical.engines.numba import functions, views

        functions.power_of_two = lambda shifted: 2.0 ** (shifted - functions.MAGIC)
        views.vector = lambda like, table, k: at(like.dtype, *table[k]).reshape(-1)
        views.matrix = lambda like, table, k: at(like.dtype, *table[k])


def at(dtype: np.dtype, address: int, rows: int, columns: int) -> np.ndarray:
    """The array at an address."""
    memory = (ctypes.c_byte * (rows * columns * dtype.itemsize)).from_address(int(address))
    return np.frombuffer(memory, dtype).reshape(rows, columns)


def work(seeds: list[int], engines: list[str], without: set[str]) -> None:
    """Prints a line of results per seed and engine."""
    from tests.explored.circuits import drawn
    from tests.explored.comparison import compared

    plain = ["numba" if e == "numba-text" else e for e in engines]
    for seed in seeds:
        print(json.dumps({"begun": seed}), flush=True)
        began, case = time.perf_counter(), drawn(seed)
        if case.features & without:
            continue
        outcomes = compared(case, plain)
        spent = round(time.perf_counter() - began, 2)
        for engine, name in zip(engines, plain, strict=True):
            found = outcomes[name]
            row = {"seed": seed, "engine": engine, "kind": found.kind, "what": found.what[:5]}
            print(
                json.dumps(row | {"seconds": spent, "features": sorted(case.features)}), flush=True
            )


# --- the process that starts them ----------------------------------------------------------------


def explore(options: argparse.Namespace) -> int:
    """Runs what is not known yet; the number of disagreements."""
    engines, stamp = options.engines.split(","), code()
    if {"numba", "numba-text"} <= set(engines):
        raise SystemExit("numba and numba-text are explored one after the other")
    first, last = (int(n) for n in options.seeds.split(":"))
    known = {(r["seed"], r["engine"], r["bounds"]) for r in results(options) if r["code"] == stamp}
    missing = [
        s for s in range(first, last)
        if any((s, e, options.bounds) not in known for e in engines)
    ]  # fmt: skip
    until = time.monotonic() + 60 * options.minutes
    while missing and time.monotonic() < until:
        some, missing = missing[:AT_ONCE], missing[AT_ONCE:]
        rows, left = one_process(some, engines, options)
        missing = left + missing
        with options.results.open("a") as file:
            for row in rows:
                file.write(json.dumps(row | {"code": stamp, "bounds": options.bounds}) + "\n")
                if row["kind"] == "disagreement":
                    print(f"seed {row['seed']} {row['engine']}: {row['what'][0][:300]}", flush=True)
    return told(options, stamp, first, last)


def one_process(
    seeds: list[int], engines: list[str], options: argparse.Namespace
) -> tuple[list[dict], list[int]]:
    """The rows of some seeds, and the seeds that were not begun because the process died."""
    command = [sys.executable, __file__, "--engines", ",".join(engines)]
    command += ["--without", options.without, "--worker", *map(str, seeds)]
    space = dict(os.environ)
    if "numba-text" in engines:
        space["NUMBA_DISABLE_JIT"] = "1"
    if options.bounds:
        folder = Path(tempfile.gettempdir()) / "apical-bounds"
        space |= {"NUMBA_BOUNDSCHECK": "1", "APICAL_CACHE_DIR": str(folder)}
    rows, begun, died = [], [], None
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=space,
            timeout=SECONDS * len(seeds) * len(engines),
        )  # fmt: skip
        output, died = (
            done.stdout,
            done.returncode and f"exit {done.returncode}: {done.stderr[-300:]}",
        )
    except subprocess.TimeoutExpired as late:
        output = (late.stdout or b"").decode()
        died = "too slow"
    for line in output.splitlines():
        row = json.loads(line)
        begun += [row["begun"]] if "begun" in row else []
        rows += [row] if "kind" in row else []
    if not died:
        return rows, []
    if not begun:
        raise SystemExit(died)
    rows = [r for r in rows if r["seed"] != begun[-1]]
    rows += [
        {"seed": begun[-1], "engine": e, "kind": "disagreement", "what": [f"died: {died}"],
         "seconds": 0, "features": []}
        for e in engines
    ]  # fmt: skip
    return rows, [s for s in seeds if s not in begun]


def results(options: argparse.Namespace) -> list[dict]:
    """Every row of the file of results."""
    if not options.results.exists():
        return []
    return [json.loads(line) for line in options.results.read_text().splitlines()]


def told(options: argparse.Namespace, stamp: str, first: int, last: int) -> int:
    """Prints what is known of the range, and returns the number of disagreements."""
    rows = {
        (r["seed"], r["engine"]): r for r in results(options)
        if r["code"] == stamp and first <= r["seed"] < last and r["bounds"] == options.bounds
    }  # fmt: skip
    kinds = collections.Counter((r["engine"], r["kind"]) for r in rows.values())
    for (engine, kind), count in sorted(kinds.items()):
        print(f"{engine:12} {kind:14} {count}")
    refused = [r["what"][0].split("\n")[0] for r in rows.values() if r["kind"] == "refused"]
    reasons = collections.Counter(reason.split(": ", 1)[-1][:70] for reason in refused)
    for reason, count in reasons.most_common(12):
        print(f"{count:6}  {reason}")
    bad = sorted(key for key, r in rows.items() if r["kind"] == "disagreement")
    for seed, engine in bad[:20]:
        print(f"again: python {sys.argv[0]} --engines {engine} --minimise {seed}")
    return len(bad)


def main() -> int:
    options = arguments()
    engines = options.engines.split(",")
    if options.worker is not None:
        prepare(engines)
        work(options.worker, engines, {f for f in options.without.split(";") if f})
        return 0
    one = options.show if options.show is not None else options.minimise
    if one is None:
        return 1 if explore(options) else 0
    prepare(engines)
    from tests.explored.circuits import drawn
    from tests.explored.minimiser import minimised

    case = drawn(one)
    if options.minimise is not None:
        case = minimised(case, engines[0].removesuffix("-text"))
    print(case.text)
    print(*case.record, *case.calls, case.replicas, case.parameters, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
