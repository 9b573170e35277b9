"""Streams from the command line: numbers, draws, and arrays in npy, npz and csv files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .application import Usage, assignment

if TYPE_CHECKING:  # numpy is imported late: before it, `main` says how many threads it may use
    import numpy as np

    Values = np.ndarray | Callable[[int], np.ndarray]  # the latter takes the number of samples

FILES = (".npy", ".npz", ".csv")
DRAWS: Mapping[str, Callable[..., Any]] = {
    "uniform": lambda rng, a, b, shape: rng.uniform(a, b, shape),
    "normal": lambda rng, mean, sd, shape: rng.normal(mean, sd, shape),
}
WAYS = "NAME=0.5, NAME=[1,0,2], NAME='uniform(0,1)', NAME=FILE.npy, NAME=FILE.npz:KEY or FILE.npz"


def given_streams(
    texts: Sequence[str], shapes: Mapping[str, tuple[int, ...]], seed: int, samples: int | None
) -> tuple[dict[str, np.ndarray], int | None]:
    """Arrays (sample, unit) of the streams that `--stream` names, and how many samples there are.

    A signal is (sample, row, unit). A number holds for every unit, row and sample, a list for every
    sample and row; a file says how many samples there are, else `samples` does.

    Args:
        texts: What stood behind each `--stream`.
        shapes: Stream of the circuit -> the shape of a sample: (unit,) or (row, unit).
        seed: Of the draws.
        samples: What `--samples` says.

    Raises:
        Usage: A text, a file or a name that is none of a stream.
        OSError: A file cannot be read.
    """
    found: dict[str, Values] = {}
    for text in texts:
        for name, values in _read(text, shapes, seed):
            if name in found:
                raise Usage(f"--stream {text}: the stream {name!r} is given twice")
            found[name] = values
    counts = {n: len(v) for n, v in found.items() if not callable(v)}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{n} {c}" for n, c in counts.items())
        raise Usage(f"--stream: files with different numbers of samples: {said}")
    held = next(iter(counts.values()), None)
    if samples is not None and held is not None and held < samples:
        raise Usage(f"--samples {samples}: the files of --stream hold {held}")
    count = samples or held
    return {
        name: values(count or 1) if callable(values) else values[:count]
        for name, values in found.items()
    }, count


def stream_shapes(circuit: Any, program: Any) -> dict[str, tuple[int, ...]]:
    """Stream of a circuit -> the shape of a sample, with the rows that a Program reads."""
    import numpy as np

    from ..engines.signal_lengths import rows_taken
    from ..engines.simulation.replica_parameters import ReplicaParameters

    parameters = ReplicaParameters(circuit, (0,)).arrays(np.dtype("float64"))
    rows = {
        axis.stream: (int(rows_taken(program, axis, parameters, 1)[0]),) for axis in program.signals
    }
    unread = {name: (1,) for name in circuit.signals if name not in rows}
    return {n: (*(rows | unread).get(n, ()), size) for n, size in circuit.streams.items()}


def _read(text: str, shapes: Mapping[str, tuple[int, ...]], seed: int) -> list[tuple[str, Values]]:
    name, sign, value = text.partition("=")
    name, value = name.strip(), value.strip()
    if not sign and Path(text).suffix.lower() == ".npz":
        held = _archive(text)
        return [(key, _laid(array, shapes[key])) for key, array in held.items() if key in shapes]
    if not sign or not value:
        raise Usage(f"--stream {text}: expected {WAYS}")
    if name not in shapes:
        known = ", ".join(shapes) or "none"
        raise Usage(f"--stream {text}: no stream {name!r}; the circuit reads {known}")
    place, _, key = value.partition(":") if ".npz:" in value.lower() else (value, "", "")
    if Path(place).suffix.lower() in FILES:
        return [(name, _laid(_array(text, name, place, key), shapes[name]))]
    if call := re.fullmatch(r"(\w+)\(([^(),]+),([^(),]+)\)", value):
        return [(name, _draw(text, call, shapes, name, seed))]
    return [(name, _constant(text, name, value, shapes[name]))]


def _constant(text: str, name: str, value: str, shape: tuple[int, ...]) -> Values:
    """The same numbers for each sample, and each row of a signal."""
    import numpy as np

    try:
        row = np.asarray(assignment(f"{name}={value}")[1], dtype=np.float64)
    except (Usage, ValueError, TypeError):
        raise Usage(f"--stream {text}: expected {WAYS}") from None
    if row.ndim and row.shape != shape[-1:]:
        raise Usage(f"--stream {text}: expected {shape[-1]} numbers or one for all, got {row.size}")
    return lambda count: np.broadcast_to(row, (count, *shape)).copy()


def _draw(
    text: str, call: re.Match[str], shapes: Mapping[str, tuple[int, ...]], name: str, seed: int
) -> Values:
    """Numbers drawn for each sample and unit; each stream draws its own."""
    import numpy as np

    word, *ends = call.groups()
    try:
        a, b = (float(end) for end in ends)
        draw = DRAWS[word]
    except (KeyError, ValueError):
        raise Usage(f"--stream {text}: expected one of {', '.join(DRAWS)} of two numbers") from None
    if (word == "uniform" and a > b) or (word == "normal" and b < 0):
        raise Usage(f"--stream {text}: expected uniform(low,high) or normal(mean,deviation)")
    rng = np.random.default_rng([seed, list(shapes).index(name)])
    return lambda count: draw(rng, a, b, (count, *shapes[name]))


def _array(text: str, name: str, place: str, key: str) -> np.ndarray:
    """The array of a file."""
    ending = Path(place).suffix.lower()
    if ending == ".npz":
        arrays = _archive(place)
        key = key or name
        if key not in arrays:
            raise Usage(f"--stream {text}: {place} holds {', '.join(arrays)}, no {key!r}")
        array = arrays[key]
    elif ending == ".npy":
        array = _loaded(place)
    else:
        array = _table(text, place)
    return array


def _laid(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(sample, unit), of a signal (sample, row, unit): one sample may stand alone.

    So does the one unit of a signal: its rows may stand one behind the other.
    """
    if len(shape) == 2 and array.ndim == 1 and shape[-1] == 1:
        array = array[:, None]
    return array[None] if array.ndim == len(shape) else array


def _archive(place: str) -> dict[str, np.ndarray]:
    loaded = _loaded(place)
    if not isinstance(loaded, dict):
        raise Usage(f"{place}: expected an archive of arrays, as numpy.savez writes it")
    return loaded


def _loaded(place: str) -> Any:
    """What numpy.save wrote, or savez, by name; numbers only, nothing pickled is opened."""
    from zipfile import BadZipFile

    import numpy as np

    from ..graphs.reading.opening import must_be_file

    must_be_file(place)
    try:
        loaded = np.load(place, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            return {key: loaded[key] for key in loaded.files}
    except (ValueError, EOFError, BadZipFile) as error:
        raise Usage(f"{place}: holds no arrays of numbers ({error})") from error


def _table(text: str, place: str) -> np.ndarray:
    """A row per sample, a column per unit; a first line of words is a heading."""
    import numpy as np
    import pandas

    try:
        frame = pandas.read_csv(place, header=None, dtype=str, skip_blank_lines=True)
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise Usage(f"--stream {text}: {place} is no table of numbers ({error})") from error
    numbers = frame.apply(pandas.to_numeric, errors="coerce")
    if bool(numbers.iloc[0].isna().all()):
        numbers = numbers.iloc[1:]
    array = numbers.to_numpy(np.float64)
    if np.isnan(array).any():
        row, column = (int(i) for i in np.argwhere(np.isnan(array))[0])
        line = int(numbers.index[row]) + 1
        said = frame.iat[int(numbers.index[row]), column]
        raise Usage(f"--stream {text}: {place}, line {line}: expected a number, got {said!r}")
    return array
