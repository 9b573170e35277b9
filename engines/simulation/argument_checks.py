"""What a caller gives, checked: whole numbers, seeds, arrays of numbers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Set
from operator import index
from pathlib import Path
from typing import Any

import numpy as np

LARGEST_SEED = 2**63 - 1  # what files of traces and checkpoints can hold

_REFUSED = {  # kind of a numpy dtype -> what the caller may have meant
    "c": "complex numbers; give `x.real`, `abs(x)`, or both parts as units of their own",
    "M": "dates; give the time that has passed, as `(x - x[0]) / np.timedelta64(1, 's')`",
    "m": "time differences; give numbers, as `x / np.timedelta64(1, 's')`",
    "U": "text; give numbers, as `x.astype(float)`, or one unit for each word",
    "S": "bytes of text; give numbers, as `x.astype(float)`",
    "O": "Python objects; if all are numbers, give `x.astype(float)`",
    "V": "records; give one array for each field",
}


def whole(what: str, given: Any, least: int) -> int:
    """A whole number that is not below `least`.

    Raises:
        ValueError: Another kind of value (a bool, a float, a text), or a smaller number.
    """
    number = _integer(given)
    if number is None or number < least:
        near = f"; did you mean {int(given)}?" if _is_whole_float(given, least) else ""
        raise ValueError(
            f"{what}: expected a whole number of at least {least}, got {_shown(given)}{near}"
        )
    return number


def truth(what: str, given: Any) -> bool:
    """True or False.

    Raises:
        ValueError: Another kind of value, such as an array or a text.
    """
    if isinstance(given, bool | np.bool_) or _integer(given) in (0, 1):
        return bool(given)
    raise ValueError(f"{what}: expected True or False, got {_shown(given)}")


def holds_numbers(given: Any) -> bool:
    """Whether a value looks like an array, or is a list of numbers."""
    if isinstance(given, list | tuple):
        return bool(given) and all(isinstance(one, list | tuple | int | float) for one in given)
    return bool(getattr(given, "shape", ()))


def seeds_of(seed: Any, replicas: int) -> tuple[int | list[int], tuple[int, ...]]:
    """A seed as it was meant, and the seed of each replica: seed + r, or the r-th of several.

    Raises:
        ValueError: No whole number from 0 to 2^63 - 1, or not one for each replica.
    """
    number = _integer(seed)
    if number is not None:
        _check_seed(number, seed)
        _check_seed(number + replicas - 1, number + replicas - 1)
        return number, tuple(range(number, number + replicas))
    if not isinstance(seed, Iterable) or isinstance(seed, str | bytes | Mapping | Set):
        _check_seed(None, seed)
    if isinstance(seed, np.ndarray) and seed.ndim != 1:
        raise ValueError(
            f"seed: expected a number or {replicas} of them, got shape {np.shape(seed)}"
        )
    several = [_check_seed(_integer(one), one) for one in seed]
    if len(several) != replicas:
        raise ValueError(
            f"seed: expected a number or {replicas} of them, as many as `replicas`, got {several}"
        )
    return several, tuple(several)


def numbers(what: str, values: Any, dtype: np.dtype, finite: bool = True) -> np.ndarray:
    """An array of real numbers in `dtype`.

    Raises:
        ValueError: Another kind of value, masked entries, or numbers that are not finite.
    """
    if isinstance(values, np.ma.MaskedArray):
        if np.ma.is_masked(values):
            count = int(np.ma.count_masked(values))
            raise ValueError(
                f"{what}: {count} of {values.size} entries are masked, and a circuit knows no "
                f"missing values; leave these samples out, or fill them in: `x.filled(0)`"
            )
        values = values.data
    try:
        array = np.asarray(values)
    except Exception as error:
        raise ValueError(
            f"{what}: expected an array of numbers, got {_shown(values)} ({error})"
        ) from error
    if array.dtype.kind not in "buif":
        raise ValueError(f"{what}: expected numbers, got {_REFUSED[array.dtype.kind]}")
    with np.errstate(over="ignore"):
        cast = array.astype(dtype, copy=False)
    if finite and not np.isfinite(cast).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(cast))[0])
        number = array[place]
        why = "is not finite" if not np.isfinite(number) else f"is beyond the range of {dtype}"
        at = f" at {place}" if place else ""
        raise ValueError(f"{what}: {number}{at} {why}; every number has to be")
    return cast


def check_tensor(what: str, values: Any, finite: bool = True) -> None:
    """The same demands on a torch tensor, which stays what and where it is.

    Raises:
        ValueError: Complex numbers, or numbers that are not finite.
    """
    if values.is_complex():
        raise ValueError(f"{what}: expected numbers, got {_REFUSED['c']}")
    if finite and not bool(values.isfinite().all()):
        place = tuple((~values.isfinite()).nonzero()[0].tolist())
        number = values[place].item()
        raise ValueError(f"{what}: {number} at {place} is not finite; every number has to be")


def check_by_name(
    what: str,
    given: Any,
    like: str = "arrays by name, as {'image': array, ...}, or a task's samples",
) -> None:
    """Whether arrays or numbers are given by their names.

    Raises:
        ValueError: They are not.
    """
    if not isinstance(given, Mapping):
        raise ValueError(f"{what}: expected {like}; got {_shown(given)}")


def file_place(what: str, given: Any) -> None:
    """Whether a file could be written there, looked at before hours of work.

    Raises:
        ValueError: No path, no such folder, or a folder itself.
    """
    try:
        place = Path(os.fspath(given))
    except TypeError:
        raise ValueError(f"{what}: expected the path of a file, got {_shown(given)}") from None
    folder = place.parent
    if place.is_dir():
        raise ValueError(f"{what}: expected the path of a file, got the folder {str(place)!r}")
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        why = "cannot be written to" if folder.is_dir() else "does not exist"
        raise ValueError(f"{what}: the folder {str(folder)!r} of {place.name!r} {why}")


def _integer(given: Any) -> int | None:
    if isinstance(given, bool | np.bool_) or getattr(given, "dtype", None) == np.bool_:
        return None
    try:
        return index(given)
    except TypeError:
        return None


def _is_whole_float(given: Any, least: int) -> bool:
    if not isinstance(given, float | np.floating):
        return False
    return bool(given >= least) and float(given).is_integer()


def _check_seed(number: int | None, given: Any) -> int:
    if number is None or not 0 <= number <= LARGEST_SEED:
        raise ValueError(
            f"seed: expected whole numbers from 0 to {LARGEST_SEED} (2^63 - 1), got {_shown(given)}"
        )
    return number


def _shown(given: Any) -> str:
    """A value as it stands in a message; large ones by their kind."""
    shape = getattr(given, "shape", None)
    if shape:
        return f"{type(given).__name__} of shape {tuple(shape)}"
    text = repr(given)
    return text if len(text) <= 60 else f"{text[:57]}..."
