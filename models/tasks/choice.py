"""The task that a text names, `separation(domain=sparse, snr=30)`, made for one seed or several."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

import numpy as np

from ...graphs.task_text import TaskChoice, task_choice
from .digits import digits
from .images import fashion, mnist
from .patterns import retrieval
from .recordings import music, photographs
from .sources import separation
from .task import Predictions, Samples, Task


@dataclass(frozen=True)
class Kind:
    """How a task is made. `drawn`: its samples are drawn by a seed, which is that of the run."""

    make: Callable[..., Task]
    drawn: bool = False

    @property
    def options(self) -> tuple[str, ...]:
        """What may stand in the brackets behind its name."""
        given = inspect.signature(self.make).parameters
        return tuple(n for n in given if n not in ("folder", "check", "dtype"))

    @property
    def from_files(self) -> bool:
        """Whether it reads files of a folder."""
        return "folder" in inspect.signature(self.make).parameters


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "digits": Kind(digits),
        "fashion": Kind(fashion),
        "mnist": Kind(mnist),
        "music": Kind(music, drawn=True),
        "photographs": Kind(photographs, drawn=True),
        "retrieval": Kind(retrieval, drawn=True),
        "separation": Kind(separation, drawn=True),
    }
)


def check_choice(text: str, data: str | None = None) -> TaskChoice:
    """The choice that a text says, `data` being the folder of its files.

    Raises:
        ValueError: It is not of the form, there is no such task or option, or it takes no folder.
    """
    choice = task_choice(text)
    if choice.name not in KINDS:
        raise ValueError(_unknown(f"there is no task {choice.name!r}", choice.name, tuple(KINDS)))
    kind = KINDS[choice.name]
    for option in choice.options:
        if option not in kind.options:
            said = f"the task {choice.name} has no option {option!r}"
            raise ValueError(_unknown(said, option, kind.options))
    if data is not None and not kind.from_files:
        raise ValueError(f"the task {choice.name} reads no files and takes no folder")
    return choice


def chosen(text: str, data: str | None = None, seeds: Sequence[int] = (0,)) -> Task:
    """The task of a text. Where a seed draws its samples, each of several seeds has its own.

    Raises:
        ValueError: As for `check_choice`, or the value of an option is none that the task can have.
        FileNotFoundError: Its files are missing; the message says how to fetch them.
    """
    choice = check_choice(text, data)
    kind = KINDS[choice.name]
    given = dict(choice.options) | ({} if data is None else {"folder": data})
    if not kind.drawn or "seed" in given:
        return _made(kind, choice.name, given)
    return together([_made(kind, choice.name, {**given, "seed": seed}) for seed in seeds])


def together(tasks: Sequence[Task]) -> Task:
    """Tasks of one kind as one whose samples are (replica, sample, unit); one alone as it is."""
    first = tasks[0]
    if len(tasks) == 1:
        return first

    def stacked(parts: Sequence[Samples]) -> Samples:
        arrays = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
        return Samples(arrays, parts[0].metrics)

    def report(predictions: Predictions) -> list[str]:
        return [
            line
            for number, task in enumerate(tasks)
            for line in (task.report(_of(predictions, number)) if task.report else ())
        ]

    def picture(predictions: Predictions) -> Any:
        assert first.picture is not None
        return first.picture(_of(predictions, 0))

    return replace(
        first,
        train=stacked([task.train for task in tasks]),
        test=stacked([task.test for task in tasks]),
        report=report if first.report else None,
        picture=picture if first.picture else None,
    )


def _of(predictions: Predictions, replica: int) -> dict[str, np.ndarray]:
    return {name: values[replica] for name, values in predictions.items()}


def _made(kind: Kind, name: str, given: Mapping[str, Any]) -> Task:
    try:
        return kind.make(**given)
    except (KeyError, TypeError) as error:
        shown = ", ".join(f"{n}={v}" for n, v in given.items())
        raise ValueError(f"the task {name} cannot be made with {shown}: {error}") from error


def _unknown(said: str, name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name, known, n=1)
    if close:
        return f"{said}; did you mean {close[0]!r}?"
    return f"{said}; there are: {', '.join(known) or 'none'}"
