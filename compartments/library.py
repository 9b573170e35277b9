"""Library cells: templates in the circuit language, one YAML file per cell.

A file uses one by `is: pyramidal`; it is then expanded like a cell of the file itself. The text has
one section of weight, `cells:`, with the one cell of that name; its opening comment lists the
parameters and functions that the using file declares.
"""

from __future__ import annotations

from importlib.resources import files

CELLS: tuple[str, ...] = ("pyramidal",)


def library_text(name: str) -> str:
    """The YAML text of a library cell.

    Raises KeyError for a name that is not in `CELLS`.
    """
    if name not in CELLS:
        raise KeyError(name)
    return (files(__name__.rpartition(".")[0]) / f"{name}.yaml").read_text(encoding="utf-8")
