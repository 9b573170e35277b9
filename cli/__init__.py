"""The command line: `apical list | show | check | audit | new | run | plot | sweep | ...`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from . import files, pictures, reports, runs, simulate, sweeps
from .application import app

__all__ = ["app", "files", "main", "pictures", "reports", "runs", "simulate", "sweeps"]

BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def _print_version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        typer.echo(__version__)
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="The version.")
]


@app.callback()
def options(version: Version = False) -> None:
    """Circuits of multi-compartment neurons, from a YAML file to training and traces."""


def main() -> None:
    """The console script `apical`; never shows a traceback for a wrong circuit or command.

    Matrix products of circuits are small: threads of BLAS wait for each other longer than they
    work, so one is the default. It must be set before numpy is imported.
    """
    for name in BLAS_THREADS:
        os.environ.setdefault(name, "1")
    try:
        app()
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
        sys.exit(130)
