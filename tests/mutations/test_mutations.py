"""500 mistakes in shipped files: refused, on the right line, with the right suggestion."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from apical.graphs.diagnostics import CircuitError
from apical.graphs.load import bundled, load, load_text, variants_of
from apical.graphs.printing import comparable

from .mutations import Mutator

COUNT, SEED = 500, 20260521


def loading(name):
    """Variant -> the variants to load it with, for those that load alone or on top of another."""
    found = {None: ()}
    names = variants_of(name)
    for variant in names:
        for chosen in ((variant,), *((other, variant) for other in names if other != variant)):
            try:
                load(name, chosen)
            except CircuitError:
                continue
            found[variant] = chosen
            break
    return found


@pytest.fixture(scope="module")
def chosen():
    return {name: loading(name) for name in bundled()}


@pytest.fixture(scope="module")
def mutations(root, chosen):
    """Turn by turn a file and a kind, drawn with a fixed seed; no text twice."""
    rng = random.Random(SEED)
    texts = {name: (root / "yaml_models" / f"{name}.yaml").read_text("utf-8") for name in bundled()}
    mutators = {name: Mutator(rng, name, text) for name, text in texts.items()}
    kinds = next(iter(mutators.values())).all_kinds()
    found, seen = [], set(texts.values())
    while len(found) < COUNT:
        kind = kinds[len(found) % len(kinds)]
        for _ in range(30):
            one = getattr(mutators[rng.choice(list(mutators))], kind)()
            if one and one.text not in seen and one.variant in chosen[one.file]:
                found.append(one)
                seen.add(one.text)
                break
        else:
            kinds = [k for k in kinds if k != kind]
    return found


@pytest.fixture(scope="module")
def told(mutations, chosen):
    """What the loader says to each: (mutation, diagnostics), none where another circuit loads."""
    found = []
    for one in mutations:
        variants = chosen[one.file][one.variant]
        try:
            loaded = load_text(one.text, f"{one.file}.yaml", variants)
            if comparable(loaded) != comparable(load(one.file, variants)):
                found.append((one, ()))  # else it is harmless: the circuit is the same
        except CircuitError as error:
            found.append((one, error.diagnostics))
    return found


def on_the_line(one, diagnostics):
    return any(d.place.line in one.lines for d in diagnostics[:1])


def suggests(one, diagnostics):
    """Whether the right word stands in a suggestion or in what is expected at that line."""
    near = [d for d in diagnostics if d.place.line in one.lines]
    said = " ".join(f"{d.suggestion or ''} {d.message} {d.expected or ''}" for d in near)
    return "".join(one.right.split()) in "".join(said.split())


def table(rows):
    return "\n".join(
        f"{one.kind:<26} {one.file}{'+' + one.variant if one.variant else ''}:{one.lines[0]}  "
        f"{one.wrong}  ->  {first_line(found)}"
        for one, found in rows
    )


def first_line(found):
    return str(found[0]).splitlines()[0] + f" | try: {found[0].suggestion}" if found else "loads"


def test_there_are_many_kinds(mutations):
    kinds = Counter(one.kind for one in mutations)
    assert len(mutations) == COUNT and len(kinds) >= 20
    assert max(kinds.values()) <= COUNT // 10


def test_every_mistake_is_refused(told):
    loads = [(one, found) for one, found in told if not found]
    print(table(loads))
    assert not loads, table(loads)


def test_the_line_is_right(told):
    wrong = [(o, found) for o, found in told if found and not on_the_line(o, found)]
    print(table(wrong))
    assert len(wrong) <= 0.02 * len(told), table(wrong)


def test_the_suggestion_is_right(told):
    asked = [(one, found) for one, found in told if found and one.right]
    wrong = [(one, found) for one, found in asked if not suggests(one, found)]
    print(table(wrong))
    assert len(asked) > COUNT / 4 and len(wrong) <= 0.1 * len(asked), table(wrong)
