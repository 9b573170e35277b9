"""Where the points of a sweep are computed: here, in processes, or on a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from .application import Usage

Workers = Annotated[
    int | None,
    typer.Option(
        min=1, help="How many processes; default a core each, as many as there are programs."
    ),
]
Dask = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="A Dask cluster, such as tcp://host:8786.")
]


@contextmanager
def workers_of(count: int | None, dask: str | None, programs: int) -> Iterator[Any]:
    """An executor, or None: in this process."""
    if dask is not None:
        with _cluster(dask) as executor:
            yield executor
        return
    from ..engines.threads import available

    count = min(programs, available()) if count is None else count
    if count == 1 or programs == 1:
        yield None
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as executor:
        yield executor


@contextmanager
def _cluster(address: str) -> Iterator[Any]:
    try:
        from dask.distributed import Client
    except ImportError:
        raise Usage("--dask needs dask: python -m pip install 'apical[dask]'") from None
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise Usage(f"--dask {address}: no cluster answers there: {error}") from None
    with client, client.get_executor() as executor:
        yield executor
