"""The sizes of a circuit follow its task, where they are not set; where they are, they must fit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...graphs.load import rebuild

if TYPE_CHECKING:
    from ...graphs.circuit import Circuit
    from .task import Task

_PLACE = re.compile(r"([A-Za-z_]\w*)(?:\[(\w+)\])?")  # `n`, `sizes[0]`, `sizes[L]`


class SizeError(ValueError):
    """The streams of a task are not those that a circuit expects."""


def fitted(circuit: Circuit, task: Task) -> tuple[Circuit, tuple[str, ...]]:
    """The circuit with the sizes that the task has, and a line for each parameter that changed.

    A stream's size that is a parameter or an entry of one (`image: sizes[0]`) follows the task,
    unless that parameter is among the circuit's overrides.

    Raises:
        SizeError: The circuit reads a stream that the task lacks, or of another size.
    """
    changes = size_changes(circuit, task, tuple(circuit.source.overrides))
    if not changes:
        check_sizes(circuit, task)
        return circuit, ()
    source = circuit.source
    overrides = {**source.overrides, **changes}
    facts: dict[str, Any] = {
        "path": source.path,
        "texts": source.texts,
        "variants": source.variants,
    }
    facts["arrays"] = {key: array.sha256 for key, array in circuit.arrays.items()}
    arrays = {key: array.values for key, array in circuit.arrays.items()}
    made = rebuild({**facts, "overrides": overrides}, arrays)
    check_sizes(made, task)
    said = tuple(
        f"{name}: {_shown(circuit.parameters[name].value)} -> {_shown(value)}, "
        f"as the task {task.name} has {_reasons(circuit, task, name)}"
        for name, value in changes.items()
    )
    return made, said


def size_changes(circuit: Circuit, task: Task, kept: tuple[str, ...] = ()) -> dict[str, Any]:
    """Parameter -> value with which the streams have the task's sizes; `kept` are left alone."""
    changes: dict[str, Any] = {}
    for stream, text in circuit.stream_sizes.items():
        place = _PLACE.fullmatch(text)
        wanted = task.sizes.get(stream)
        if place is None or wanted in (None, circuit.streams[stream]) or place[1] in kept:
            continue
        name, index = place[1], place[2]
        if name not in circuit.parameters:
            continue
        value = changes.get(name, circuit.parameters[name].value)
        if index is None:
            changes[name] = wanted
        elif isinstance(value, (tuple, list)):
            entries = [int(n) for n in value]
            entries[_index(circuit, index)] = wanted
            changes[name] = entries
    return changes


def check_sizes(circuit: Circuit, task: Task) -> None:
    """Compares the streams of circuit and task.

    Raises:
        SizeError: They share none, or one has another size in each; the message holds the `--set`
            that mends it, where it is known.
    """
    given = task.sizes
    if not set(circuit.streams) & set(given):
        raise SizeError(
            f"the task {task.name} shows {_listed(given)}, the circuit {circuit.name} reads "
            f"{_listed(circuit.streams) or 'nothing'}; another task may fit, with --task NAME"
        )
    wrong = {n: s for n, s in circuit.streams.items() if n in given and given[n] != s}
    if not wrong:
        return
    told = " and ".join(
        f"{name!r} has {given[name]} values, the circuit {circuit.name} expects {size}"
        for name, size in wrong.items()
    )
    advice = _advice(circuit, task)
    raise SizeError(
        f"in the task {task.name} the stream {told}" + (f"; {advice}" if advice else "")
    )


def _advice(circuit: Circuit, task: Task) -> str:
    """`--set 'sizes=[...]'`, where sizes are parameters."""
    texts = [f"{n}={_shown(v).replace(' ', '')}" for n, v in size_changes(circuit, task).items()]
    if not texts:
        return ""
    options = " ".join(f"--set '{text}'" for text in texts)
    return f"try {options}, in Python apical.load({circuit.name!r}, {', '.join(texts)})"


def _reasons(circuit: Circuit, task: Task, name: str) -> str:
    """`64 values of image and 10 of label`: the streams whose sizes are of a parameter."""
    places = {n: _PLACE.fullmatch(text) for n, text in circuit.stream_sizes.items()}
    of = [n for n, place in places.items() if place and place[1] == name and n in task.sizes]
    sizes: dict[int, list[str]] = {}
    for stream in of:
        sizes.setdefault(task.sizes[stream], []).append(stream)
    first, *more = (f"{size} of {', '.join(names)}" for size, names in sizes.items())
    return " and ".join((first.replace(" of", " values of"), *more))


def _index(circuit: Circuit, text: str) -> int:
    return int(text) if text.isdigit() else int(circuit.parameters[text].value)  # type: ignore[arg-type]


def _shown(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(str(int(n)) for n in value)}]"
    return str(int(value))


def _listed(names: Any) -> str:
    return ", ".join(names)
