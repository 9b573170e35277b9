"""Judging: what the loader says to a mistake, and whether that helps who made it."""

from __future__ import annotations

import random
import re
import traceback
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

import apical
from apical.graphs.diagnostics import CircuitError, Diagnostic
from apical.graphs.load import bundled, load_text
from apical.graphs.reports.yaml_text import comparable

from .mutations import Mutation, Mutator

ROOT = Path(__file__).resolve().parents[2]


@cache
def texts() -> dict[str, str]:
    """Name -> text: the circuits that ship and of the benchmarks, the whole files in the docs."""
    found = {n: (ROOT / "yaml_models" / f"{n}.yaml").read_text("utf-8") for n in bundled()}
    for file in sorted((ROOT / "benchmarks" / "circuits").glob("*.yaml")):
        found[file.stem] = file.read_text("utf-8")
    docs = (ROOT / "docs" / "language.md").read_text("utf-8")
    for block in re.findall(r"```yaml\n(apical: 1 .*?|apical: 1\n.*?)```", docs, re.S):
        name = re.search(r"^name: (\w+)", block, re.M)
        if name is not None and "extends:" not in block:
            found[f"docs_{name.group(1)}"] = block
    return found


@cache
def original(file: str, variants: tuple[str, ...]):
    """The circuit as it should be."""
    return load_text(texts()[file], f"{file}.yaml", variants)


@cache
def chosen(file: str) -> dict[str | None, tuple[str, ...]]:
    """Variant -> the variants to load it with, for those that load alone or on top of another."""
    found: dict[str | None, tuple[str, ...]] = {None: ()}
    section = re.search(r"^variants:\n(.*)", texts()[file], re.S | re.M)
    names = re.findall(r"^  (\w+):", section.group(1), re.M) if section else []
    for name in names:
        for tried in ((name,), *((other, name) for other in names if other != name)):
            try:
                original(file, tried)
            except CircuitError:
                continue
            found[name] = tried
            break
    return found


def draw(count: int, seed: int, files: tuple[str, ...] | None = None) -> list[Mutation]:
    """Turn by turn a kind, and a file by chance; no text twice."""
    rng = random.Random(seed)
    mutators = {name: Mutator(rng, name, texts()[name]) for name in files or texts()}
    kinds = next(iter(mutators.values())).all_kinds()
    found, seen = [], set(texts().values())
    while len(found) < count:
        kind = kinds[len(found) % len(kinds)]
        for _ in range(30):
            one = getattr(mutators[rng.choice(list(mutators))], kind)()
            if one and one.text not in seen and one.variant in chosen(one.file):
                found.append(one)
                seen.add(one.text)
                break
        else:
            kinds = [k for k in kinds if k != kind]
    return found


@dataclass(frozen=True)
class Verdict:
    """What became of a mutation.

    `word`: "right" (told on its line, or the message names what is wrong), "elsewhere" (told, but
    not so), "silent" (another circuit loads), "same" (the same circuit loads), "traceback".
    """

    mutation: Mutation
    word: str
    diagnostics: tuple[Diagnostic, ...] = ()
    said: str = ""


def judge(one: Mutation) -> Verdict:
    """Load a mutation; warnings that the right text does not give are told, too."""
    variants = chosen(one.file)[one.variant]
    right = original(one.file, variants)
    try:
        made = load_text(one.text, f"{one.file}.yaml", variants)
    except CircuitError as error:
        return Verdict(one, _place(one, error.diagnostics), error.diagnostics)
    except BaseException:
        return Verdict(one, "traceback", said=traceback.format_exc(limit=-3))
    known = {w.message for w in right.warnings}
    warnings = tuple(w for w in made.warnings if w.message not in known)
    if comparable(made) == comparable(right):
        return Verdict(one, "same", warnings)
    if warnings:
        return Verdict(one, _place(one, warnings), warnings)
    return Verdict(one, "same" if _same_numbers(right, made) else "silent")


def _place(one: Mutation, diagnostics: tuple[Diagnostic, ...]) -> str:
    """Whether the first message stands on the line, or names the word that is wrong or missing."""
    if any(d.place.line in one.lines for d in diagnostics[:1]):
        return "right"
    words = set(re.findall(r"\w+", f"{one.wrong} {one.right or ''}"))
    first = diagnostics[0]
    named = set(re.findall(r"\w+", " ".join(re.findall(r"['`]([^'`]*)['`]", first.message))))
    return "right" if words & named else "elsewhere"


def _same_numbers(right, made) -> bool:
    """Whether two circuits that differ as texts compute the same: every protocol, all records."""
    try:
        return _numbers(right) == _numbers(made)
    except Exception:  # other streams, shapes or protocols: other circuits
        return False


def _numbers(circuit) -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    streams = {n: rng.random((2, size)) for n, size in sorted(circuit.streams.items())}
    found = {}
    for protocol in circuit.protocols:
        simulator = apical.Simulator(circuit, engine="numpy")
        with np.errstate(all="ignore"):
            traces = simulator.run(protocol, learn=True, batch=1, samples=2, **streams)
        arrays = traces.arrays | {f"weight {n}": w for n, w in simulator.weights.items()}
        found |= {f"{protocol} {n}": np.ascontiguousarray(a).tobytes() for n, a in arrays.items()}
    return found
