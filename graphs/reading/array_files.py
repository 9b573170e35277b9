"""Array files: numbers from the kinds of file that tools write; nothing in them can run."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

LARGEST = 2**31  # bytes of a file, and of an array in an archive


class ArrayError(ValueError):
    """There is no such array of numbers: why, and what was expected."""

    def __init__(self, message: str, expected: str | None = None, suggestion: str | None = None):
        super().__init__(message)
        self.message = message
        self.expected = expected
        self.suggestion = suggestion


@dataclass(frozen=True)
class ArrayFile:
    """One kind of file. `part`: what the second argument of `file` names; None: it has none."""

    name: str
    part: str | None
    read: Callable[[bytes, str | None], Any]  # of numpy or scipy.sparse


def _npy(data: bytes, part: str | None) -> Any:
    return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)


def _npz(data: bytes, part: str | None) -> Any:
    from zipfile import ZipFile

    with ZipFile(io.BytesIO(data)) as archive:
        known = {i.filename.removesuffix(".npy"): i.file_size for i in archive.infolist()}
    if part is None and {"format", "shape", "data"} <= set(known):
        import scipy.sparse

        _check_sizes(known)
        return scipy.sparse.load_npz(io.BytesIO(data))
    listed = ", ".join(f'"{name}"' for name in list(known)[:10])
    if part is None and len(known) != 1:
        raise ArrayError(
            f"the archive has {len(known)} arrays: it takes the name of one",
            f"a second argument: {listed}",
        )
    chosen = next(iter(known)) if part is None else part
    if chosen not in known:
        raise ArrayError(f"the archive has no array '{chosen}'", listed)
    _check_sizes({chosen: known[chosen]})
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return archive[chosen]


def _check_sizes(sizes: Mapping[str, int]) -> None:
    for name, size in sizes.items():
        if size > LARGEST:
            raise ArrayError(f"the array '{name}' has {size} bytes (at most {LARGEST})")


def _csv(data: bytes, part: str | None) -> Any:
    text = io.StringIO(data.decode("utf-8-sig"))
    return np.loadtxt(text, delimiter=",", ndmin=2, dtype=np.float64)


def _matrix_market(data: bytes, part: str | None) -> Any:
    import scipy.io

    return scipy.io.mmread(io.BytesIO(data))


def _graphml(data: bytes, part: str | None) -> Any:
    import networkx

    return connections(networkx.read_graphml(io.BytesIO(data)), part)


_TABLE = (
    ArrayFile(".npz", "array", _npz),
    ArrayFile(".npy", None, _npy),
    ArrayFile(".csv", None, _csv),
    ArrayFile(".mtx", None, _matrix_market),
    ArrayFile(".graphml", "attribute of the edges", _graphml),
)
ARRAY_FILES: Mapping[str, ArrayFile] = MappingProxyType({row.name: row for row in _TABLE})


def connections(graph: Any, attribute: str | None = None) -> Any:
    """The array (post, pre) of a networkx graph: edge (u, v) joins the presynaptic u to v.

    Nodes that are the numbers 0 to n-1 are those units, others are in the order of the graph.
    `attribute` is that of the edges ("weight" where None; edges without any are 1).
    """
    import networkx

    nodes = list(graph.nodes)
    numbers = sorted(str(node) for node in nodes)
    if numbers == sorted(str(i) for i in range(len(nodes))):
        nodes.sort(key=lambda node: int(str(node)))
    name = attribute or "weight"
    edges = graph.number_of_edges()
    having = sum(name in data for _, _, data in graph.edges(data=True))
    if having < edges and (having or attribute is not None):
        raise ArrayError(f"{edges - having} of {edges} edges have no '{name}'")
    if not nodes:
        raise ArrayError("the graph has no nodes")
    return networkx.to_scipy_sparse_array(
        graph, nodelist=nodes, weight=name, dtype=np.float64, format="csr"
    ).T


def numbers_of(found: Any) -> Any:
    """Finite float64 numbers of what was read or given: of numpy, or compressed rows of scipy.

    Raises:
        ArrayError: It is no array, or not of finite real numbers.
    """
    if hasattr(found, "number_of_edges"):
        found = connections(found)
    if hasattr(found, "tocsr"):
        import scipy.sparse

        rows = scipy.sparse.csr_array(found)
        rows.sum_duplicates()
        return scipy.sparse.csr_array(
            (_real(rows.data), rows.indices, rows.indptr), shape=rows.shape
        )
    try:
        array = _real(np.asarray(found))
    except ArrayError:
        raise
    except ValueError:
        raise ArrayError("its rows have not all as many numbers") from None
    array.flags.writeable = False
    return array


def _real(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "biuf":
        raise ArrayError("this is no array of real numbers", None)
    made = np.array(array, dtype=np.float64, order="C")
    if not np.isfinite(made).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(made))[0])
        raise ArrayError(f"entry {list(place)} is {made[place]}", "finite numbers")
    return made
