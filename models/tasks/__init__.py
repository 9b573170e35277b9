"""Tasks: streams of samples to learn from and to be tested on. Public name: `apical.tasks`."""

from .choice import KINDS as KINDS, chosen as chosen
from .digits import digits as digits
from .images import fashion as fashion, mnist as mnist
from .patterns import retrieval as retrieval
from .recordings import music as music, photographs as photographs
from .sources import separation as separation
from .task import Samples as Samples, Task as Task, one_hot as one_hot

__all__ = [
    "KINDS",
    "Samples",
    "Task",
    "chosen",
    "digits",
    "fashion",
    "mnist",
    "music",
    "one_hot",
    "photographs",
    "retrieval",
    "separation",
]
