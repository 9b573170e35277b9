"""The registry of engines: one row for each. An engine is imported when it is first asked for.

A new engine is a folder with a file `engine.py`, in which there is an Executable, and a row here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from ..graphs.program import Program
    from .executable import Executable


@dataclass(frozen=True)
class Engine:
    """What is known of an engine before it is imported.

    name: as the user says it.
    about: what it is for, in a line.
    place: the module that holds its Executable, from this folder on, and the name of the class.
    package: what it cannot do without. extra: which extra of apical brings it; None: the first.
    dtypes: of activity; the first is the default on a CPU.
    devices: kinds of devices, each with the dtype that is the default there.
    shares_batches: whether several processes can share a batch.
    takes_tensors: whether streams may be tensors of its package, which stay where they are.
    """

    name: str
    about: str
    place: tuple[str, str]
    package: str
    extra: str | None = None
    dtypes: tuple[str, ...] = ("float64", "float32")
    devices: Mapping[str, str] = field(default_factory=lambda: {"cpu": "float64"})
    shares_batches: bool = False
    takes_tensors: bool = False

    @property
    def missing(self) -> str | None:
        """What pip installs where the package is not here; None where it is."""
        if find_spec(self.package) is not None:
            return None
        return self.package if self.extra is None else f"apical[{self.extra}]"

    def executable(self) -> type[Executable]:
        """The class of its Executables, imported now.

        Raises:
            ImportError: Its package is not installed.
        """
        missing = self.missing
        if missing is not None:
            raise ImportError(
                f"engine {self.name!r} needs the package {self.package}: "
                f"python -m pip install {missing!r}"
            )
        module, name = self.place
        return getattr(import_module(module, __package__), name)

    def default_dtype(self, device: str | None) -> str:
        """The dtype of activity where none is given."""
        return self.devices.get((device or "cpu").partition(":")[0], self.dtypes[0])

    def check(self, device: str | None, activity: str | None) -> None:
        """Whether it runs here, on a device, with activity of a dtype (None: any).

        Raises:
            ValueError: No such device, activity that it cannot hold, or processes that share a
                batch, which it cannot.
            ImportError: Its package is not installed.
        """
        if device not in (None, "cpu") and set(self.devices) == {"cpu"}:
            others = _others(e for e in ENGINES.values() if set(e.devices) != {"cpu"})
            raise ValueError(
                f"device {device!r}: engine {self.name!r} runs on the CPU; {others} does not"
            )
        if activity not in (None, *self.dtypes):
            others = _others(e for e in ENGINES.values() if activity in e.dtypes)
            raise ValueError(
                f"dtype {activity!r}: engine {self.name!r} computes in "
                f"{' or '.join(map(repr, self.dtypes))}; {others} holds activity in {activity}, too"
            )
        if not self.shares_batches:
            self._refuse_team()
        self.executable().check_device(device)

    def _refuse_team(self) -> None:
        from .shared_batches import current

        if current().size > 1:
            others = _others(e for e in ENGINES.values() if e.shares_batches)
            raise ValueError(f"parallel(): engine {self.name!r} cannot share a batch; {others} can")

    def make(
        self, program: Program, dtype: np.dtype, device: str | None, activity: str | None
    ) -> Executable:
        """A Program made ready; `check` has been asked."""
        return self.executable().make(program, dtype, device, activity)


NUMPY = Engine(
    "numpy",
    about="the referee: slow, starts at once",
    place=(".numpy.engine", "NumpyExecutable"),
    package="numpy",
)
NUMBA = Engine(
    "numba",
    about="compiled for this processor, once per circuit",
    place=(".numba.engine", "NumbaExecutable"),
    package="numba",
)
TORCH = Engine(
    "torch",
    about="for a GPU, or many samples at once on the CPU",
    place=(".torch.engine", "TorchExecutable"),
    package="torch",
    extra="torch",
    dtypes=("float64", "float32", "bfloat16"),
    devices={"cpu": "float64", "cuda": "float32"},
    shares_batches=True,
    takes_tensors=True,
)
ENGINES = {engine.name: engine for engine in (NUMPY, NUMBA, TORCH)}


def find(name: str) -> Engine:
    """The row of an engine.

    Raises:
        ValueError: There is no engine of this name.
    """
    if name not in ENGINES:
        raise ValueError(f"no engine {name!r}; there are: {', '.join(ENGINES)}")
    return ENGINES[name]


def _others(engines: Iterable[Engine]) -> str:
    """The names of other engines, to be asked instead."""
    return " or ".join(repr(engine.name) for engine in engines) or "no engine"
