"""Tasks: streams of samples to learn from and to be tested on. Public name: `apical.tasks`."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from .digits import digits as digits
from .images import fashion as fashion, mnist as mnist
from .recordings import music as music, photographs as photographs
from .sources import separation as separation
from .task import Samples as Samples, Task as Task, one_hot as one_hot

TASKS: Mapping[str, Callable[..., Task]] = MappingProxyType(
    {
        "digits": digits,
        "fashion": fashion,
        "mnist": mnist,
        "music": music,
        "photographs": photographs,
        "separation": separation,
    }
)

__all__ = [
    "TASKS",
    "Samples",
    "Task",
    "digits",
    "fashion",
    "mnist",
    "music",
    "one_hot",
    "photographs",
    "separation",
]
