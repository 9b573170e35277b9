"""Loading: a text becomes a `Circuit`. The front page of the front end.

1. `read`          text -> tree with places (also of the files it extends)
2. `schema.check`  keys and kinds of values, variants included
3. `merge`         extends, then variants in order
4. declare         parameters, functions, streams, populations, synapses, protocols: who is there
5. finish          every text parsed and resolved, families expanded, user functions inlined
6. `checks`        what only the whole can tell
7. `trial`         every protocol is lowered once
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from ..compartments.library import CELLS, library_text
from .binding import populations, protocols, readouts
from .binding.checks.clashes import check_arrays, check_names, check_traces
from .binding.checks.consistency import (
    check_latches,
    check_ports,
    check_sets,
    check_signals,
    check_unused,
)
from .binding.checks.cycles import check_cycles
from .binding.checks.delays import counted
from .binding.checks.stated_numbers import requirements
from .binding.checks.typos import check_learnt, check_typos, check_unread, suspect_additions
from .binding.members import settled
from .binding.name_table import FileNames
from .binding.synapses import ends, synapse
from .circuit import Circuit, Source
from .diagnostics import CircuitError, Diagnostic, Place
from .reading.arrays import Arrays
from .reading.consequences import wrong_entries
from .reading.keys import TOP
from .reading.merge import merge
from .reading.nodes import MappingNode, ScalarNode, is_null
from .reading.problems import Problems
from .reading.reader import MAX_SIZE, read
from .reading.schema import check, required
from .requirements import Requirement
from .task_text import task_choice
from .texts import bundled as bundled, bundled_text as bundled_text, no_file, text_of
from .trial_lowering import check_lowering
from .wording import listed, nearest

FORMAT = 1


@dataclass
class Reading:
    """One load under way; `texts`, if given, stand for the files."""

    path: str
    variants: tuple[str, ...]
    overrides: Mapping[str, Any]
    texts: Mapping[str, str] | None = None
    problems: Problems = field(default_factory=Problems)
    arrays: Arrays = field(default_factory=Arrays)


def load(
    name_or_path: str | Path,
    /,
    variants: str | Iterable[str] = (),
    arrays: Mapping[str, Any] | None = None,
    **overrides: Any,
) -> Circuit:
    """The circuit of a bundled name or a path, with variants laid over it, in order.

    Args:
        name_or_path: a bundled name ("pc") or the path of a file.
        variants: names of variants of the file.
        arrays: what the file calls `array("W")`, or, by the name of a synapse, what stands for its
            `init`: (post, pre) of numpy or scipy.sparse, or a networkx graph.
        **overrides: parameters by base name: a number, a list, or a text in the language.

    Raises:
        CircuitError: anything is wrong with the file; all of it is listed.
    """
    text, path = text_of(str(name_or_path))
    return load_text(text, path, variants, arrays, **overrides)


def load_text(
    text: str,
    path: str = "<text>",
    /,
    variants: str | Iterable[str] = (),
    arrays: Mapping[str, Any] | None = None,
    **overrides: Any,
) -> Circuit:
    """The circuit that a text describes; `path` stands in its diagnostics. See `load`."""
    chosen = (variants,) if isinstance(variants, str) else tuple(variants)
    return _guarded(text, Reading(path, chosen, dict(overrides), arrays=Arrays(arrays)))


def _guarded(text: str, reading: Reading) -> Circuit:
    try:
        return _loaded(text, reading)
    except RecursionError:
        message = "definitions are nested too deeply here"
        raise CircuitError([Diagnostic(Place(reading.path, 1, 1), message)]) from None


def _loaded(text: str, reading: Reading) -> Circuit:
    root = _root(text, reading.path, reading)
    if reading.problems.errors:
        _raise_all(root, reading)
    merged = _with_variants(root, reading)
    suspect_additions(merged, reading.problems)
    reading.problems.raise_errors()
    return _circuit(merged, root, reading)


def _raise_all(root: MappingNode, reading: Reading) -> NoReturn:
    """Raise what is wrong with keys, and what is wrong with names in spite of that."""
    errors = reading.problems.errors
    wrong = wrong_entries(root, errors)
    if wrong is None:
        raise CircuitError(errors)
    try:
        _circuit(_with_variants(root, reading), root, reading)
    except Exception:
        pass  # of a file that is wrong anyway; what was found so far is told
    more = [d for d in reading.problems.errors if d not in errors and not wrong.causes(d)]
    raise CircuitError(sorted((*errors, *more), key=lambda d: d.place))


def rebuild(facts: Mapping[str, Any], arrays: Mapping[str, Any] | None = None) -> Circuit:
    """The circuit that `Source` facts describe: "path", "texts", "variants", "overrides".

    Its files are read from `texts` alone, so that a run can be repeated where they no longer are.
    So are its arrays from `arrays`, where given; else they are read again, and have to have the
    hashes under "arrays".

    Raises:
        CircuitError: the texts are no circuit, or one of them is missing.
        ValueError: the facts are not those of a circuit.
    """
    try:
        path, texts = str(facts["path"]), dict(facts["texts"])
        variants, overrides = tuple(facts["variants"]), dict(facts["overrides"])
        text, hashes = texts[path], dict(facts.get("arrays", {}))
    except (KeyError, TypeError) as error:
        raise ValueError(f"these facts do not describe a circuit: {error} is missing") from None
    found = Arrays(kept=arrays, hashes=hashes)
    return _guarded(text, Reading(path, variants, overrides, texts, arrays=found))


def variants_of(name_or_path: str | Path) -> tuple[str, ...]:
    """The names of the variants of a file."""
    text, path = text_of(str(name_or_path))
    section = _root(text, path, Reading(path, (), {})).get("variants")
    return section.keys() if isinstance(section, MappingNode) else ()


# --- texts ---


def _extended(name: str, near: str, reading: Reading) -> tuple[str, str]:
    """The text and the path of a file that another extends."""
    if reading.texts is None:
        return text_of(name, near)
    for path in (f"{name}.yaml", str(Path(near).parent / name), name):
        if path in reading.texts:
            return reading.texts[path], path
    raise no_file(name, "is not among the texts of this run")


def _root(text: str, path: str, reading: Reading, chain: tuple[str, ...] = ()) -> MappingNode:
    """The tree of a text, laid over the file it extends."""
    problems = reading.problems
    problems.texts[path] = text
    _few_characters(path, problems)
    root = read(text, path)
    check(root, problems)
    if not chain:
        _format(root, problems)
    extends = root.get("extends")
    if not isinstance(extends, ScalarNode) or is_null(extends):
        return root
    try:
        lower_text, lower_path = _extended(extends.text, path, reading)
    except CircuitError as error:
        first = error.diagnostics[0]
        problems.add(extends.place, first.message, expected=first.expected)
        return root
    if lower_path in (*chain, path):
        circle = " -> ".join((*chain, path, lower_path))
        problems.add(extends.place, f"files extend each other in a circle: {circle}")
        return root
    lower = _root(lower_text, lower_path, reading, (*chain, path))
    own = MappingNode(tuple((k, n) for k, n in root.entries if k.text != "extends"), root.place)
    return merge(lower, own, problems)


def _few_characters(path: str, problems: Problems) -> None:
    """All files that extend each other are together no larger than one may be."""
    count = sum(map(len, problems.texts.values()))
    if len(problems.texts) > 1 and count > MAX_SIZE:
        problems.add(
            Place(path, 1, 1),
            f"the files that extend each other have {count} characters, more than {MAX_SIZE}",
        )
        raise CircuitError(problems.errors)


def _format(root: MappingNode, problems: Problems) -> None:
    version = root.get("apical")
    if version is None:
        problems.add(
            root.place, "a circuit file begins with the format of its language",
            suggestion=f"apical: {FORMAT}",
        )  # fmt: skip
    elif not isinstance(version, ScalarNode) or version.value != FORMAT:
        problems.add(
            version.place, "this version of apical reads format 1", suggestion=f"apical: {FORMAT}"
        )


def _with_variants(root: MappingNode, reading: Reading) -> MappingNode:
    """The file with its chosen variants laid over it."""
    section, problems = root.get("variants"), reading.problems
    known = section.keys() if isinstance(section, MappingNode) else ()
    base = MappingNode(tuple((k, n) for k, n in root.entries if k.text != "variants"), root.place)
    for name in reading.variants:
        if name not in known:
            key = root.key("variants")
            place = key.place if key is not None else Place(reading.path, 1, 1)
            problems.add(
                place, f"there is no variant '{name}'", expected=listed(known, 20) or "none",
                suggestion=nearest(name, known),
            )  # fmt: skip
            continue
        assert isinstance(section, MappingNode)
        upper = section.get(name)
        if isinstance(upper, MappingNode):
            base = merge(base, upper, problems)
    return base


# --- the circuit ---


def _library() -> dict[str, MappingNode]:
    found: dict[str, MappingNode] = {}
    for name in CELLS:
        cells = read(library_text(name), f"compartments/{name}.yaml").get("cells")
        cell = cells.get(name) if isinstance(cells, MappingNode) else None
        if isinstance(cell, MappingNode):
            found[name] = cell
    return found


def _circuit(merged: MappingNode, root: MappingNode, reading: Reading) -> Circuit:
    problems = reading.problems
    required(merged, TOP, None, problems)
    for name in CELLS:
        problems.texts[f"compartments/{name}.yaml"] = library_text(name)
    names = FileNames(problems, reading.arrays)

    def section(name: str) -> MappingNode:
        node = merged.get(name)
        return node if isinstance(node, MappingNode) else MappingNode((), merged.place)

    names.parameters.declare(section("parameters"), reading.overrides)
    names.functions.declare(section("functions"))
    names.parameters.evaluate_all()
    merged = settled(merged, names)
    readouts.streams(section("data"), names)
    library = _library()
    cells = populations.Cells(section("cells"), library, problems)
    populations.declare(section("populations"), cells, names)
    draft = protocols.declare(section("protocols"), names)
    ends.declare(section("synapses"), names)
    names.functions.check()
    cells.check()
    made_populations = populations.finish(names)
    made_synapses = synapse.finish(names)
    made_protocols = protocols.finish(draft, names)
    made_synapses = counted(made_synapses, made_protocols, section("protocols"), names)
    energies = readouts.energies(section("energy"), names)
    predicts = readouts.predicts(section("predicts"), names)
    record = readouts.records(merged.get("record"), energies, made_synapses, names)
    check_names(merged, problems)
    check_arrays(names)
    required_numbers: tuple[Requirement, ...] = ()
    if not problems.errors:
        check_traces(made_synapses, names)
        check_ports(names)
        check_latches(names, made_protocols)
        check_sets(names)
        check_signals(names)
        check_cycles(names, made_populations, made_synapses, made_protocols)
        required_numbers = requirements(
            made_populations, made_synapses, made_protocols, section("protocols"), names
        )
    suspect_additions(merged, problems)
    problems.raise_errors()
    check_unused(root, library, names)
    check_typos(root, merged, names)
    check_unread(root, merged, names)
    check_learnt(made_synapses, made_protocols, names)
    circuit = Circuit(
        name=_text(merged, "name"),
        title=_text(merged, "title"),
        cite=_text(merged, "cite"),
        time_unit=_text(merged, "time_unit") or None,
        parameters=names.parameters.all(),
        streams=dict(names.streams),
        signals=dict(names.signals),
        populations=made_populations,
        synapses=made_synapses,
        energies=energies,
        predicts=predicts,
        record=record,
        protocols=made_protocols,
        source=Source(
            reading.path,
            {p: t for p, t in problems.texts.items() if not p.startswith("<override")},
            reading.variants,
            dict(reading.overrides),
        ),
        set_names=frozenset(names.set_places),
        warnings=problems.warnings,
        requirements=required_numbers,
        task=_task(merged, problems),
        stream_sizes=_stream_sizes(section("data")),
    )
    check_lowering(circuit, section("protocols"), names)
    problems.raise_errors()
    return circuit


def _text(root: MappingNode, key: str) -> str:
    node = root.get(key)
    return node.text if isinstance(node, ScalarNode) else ""


def _task(root: MappingNode, problems: Problems) -> str:
    node = root.get("task")
    if not isinstance(node, ScalarNode):
        return ""
    try:
        task_choice(node.text)
    except ValueError as error:
        problems.add(node.place, str(error))
    return node.text


def _stream_sizes(section: MappingNode) -> dict[str, str]:
    sizes = {k.text: n.get("size") if isinstance(n, MappingNode) else n for k, n in section.entries}
    return {name: node.text for name, node in sizes.items() if isinstance(node, ScalarNode)}
