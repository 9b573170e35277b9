"""A task sets no sizes: where a circuit expects others, the message says how to set them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...graphs.circuit import Circuit
    from .task import Task


class SizeError(ValueError):
    """The streams of a task do not have the sizes that a circuit expects."""


def check_sizes(circuit: Circuit, task: Task) -> None:
    """Compares the streams that circuit and task share.

    Raises:
        SizeError: A size differs; the message holds the `--set` that mends it, where it is known.
    """
    given = {name: task.test[name].shape[1] for name in task.test}
    wrong = {n: s for n, s in circuit.streams.items() if n in given and given[n] != s}
    if not wrong:
        return
    told = " and ".join(
        f"{name!r} has {given[name]} values, the circuit {circuit.name} expects {size}"
        for name, size in wrong.items()
    )
    advice = _advice(circuit, wrong, given)
    raise SizeError(
        f"in the task {task.name} the stream {told}" + (f"; {advice}" if advice else "")
    )


def _advice(circuit: Circuit, wrong: dict[str, int], given: dict[str, int]) -> str:
    """`--set 'sizes=[...]'`: a list parameter whose ends are the sizes of the streams."""
    for name, parameter in circuit.parameters.items():
        sizes = parameter.value
        if not isinstance(sizes, tuple) or len(sizes) < 2:
            continue
        ends = {sizes[0]: None, sizes[-1]: None}
        if sizes[0] != sizes[-1] and set(wrong.values()) <= set(ends):
            instead = {size: given[stream] for stream, size in wrong.items()}
            mended = [instead.get(int(s), int(s)) if s in ends else int(s) for s in sizes]
            text = f"{name}=[{','.join(str(n) for n in mended)}]"
            return f"try --set '{text}', in Python apical.load({circuit.name!r}, {text})"
    return ""
