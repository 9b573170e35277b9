"""Where `apical run` saves its training, so that a job that was killed goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM, Signals, default_int_handler, signal
from threading import current_thread, main_thread
from typing import Any

from ..engines.simulation.simulator import Simulator
from ..graphs.circuit import Circuit
from ..traces.manifest import circuit_hash

NOTE = "command"  # of a simulator: the settings of its training


@dataclass(frozen=True)
class SavedTraining:
    """A checkpoint that is written after each epoch, and whenever `every` presentations are over.

    resume: Whether to go on from the file, where there is one.
    """

    path: str
    every: int | None = None
    resume: bool = False

    def check(self) -> None:
        """Refuses to write over a training that is not to go on.

        Raises:
            ValueError: The file is there, and `resume` is not wanted.
        """
        if not self.resume and Path(self.path).exists():
            raise ValueError(
                f"{self.path} is there: --resume goes on from it; to begin anew, remove it"
            )

    def simulator(
        self, circuit: Circuit, command: Mapping[str, Any], epochs: int, **options: Any
    ) -> Simulator | None:
        """The simulator that goes on; None where there is no file yet.

        command: What decides the training; it has to be that of the file.

        Raises:
            ValueError: The file is of another circuit or command, or beyond these epochs.
            CheckpointError: The file is no checkpoint.
        """
        if not Path(self.path).exists():
            return None
        found = Simulator.resume(self.path, **options)
        said = found.notes.get(NOTE)
        if not isinstance(said, Mapping):
            raise ValueError(f"{self.path} was not written by `apical run --save`")
        for name, value in command.items():
            if said.get(name) != value:
                raise ValueError(
                    f"{self.path} is of a training with {name} {said.get(name)!r}, this one has "
                    f"{value!r}: say the same, or begin anew without the file"
                )
        if circuit_hash(found.circuit) != circuit_hash(circuit):
            raise ValueError(
                f"{self.path} is of another circuit: the text, the variants or the parameters of "
                f"{circuit.name} are not those that were trained"
            )
        if found.epoch > epochs:
            raise ValueError(
                f"{self.path} has learnt {found.epoch} epochs, expected at most {epochs}"
            )
        return found


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM, with which clusters end a job, does what Ctrl-C does."""
    if current_thread() is not main_thread():  # only there can signals be handled
        yield
        return
    before = signal(SIGTERM, lambda number, frame: default_int_handler(Signals.SIGINT, frame))
    try:
        yield
    finally:
        signal(SIGTERM, before)
