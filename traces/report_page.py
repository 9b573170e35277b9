"""A run as one page of HTML that needs no network: circuit, equations, curves, traces, audit."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from ..graphs.circuit import Circuit
from ..graphs.diagnostics import CircuitError
from ..graphs.load import rebuild
from ..graphs.markup import facts, folded, heading
from ..graphs.reports.show import show
from .plots.curves import curves
from .plots.plot import plot
from .traces import Traces

SHOWN = 12  # variables in the picture of the traces
STYLE = """
body { font-family: system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       color: #1a1a1a; line-height: 1.45; }
h1 { margin-bottom: .2rem; } h2 { margin-top: 2.4rem; border-bottom: 1px solid #ccc; }
img { max-width: 100%; } th { padding-right: 1.5rem; vertical-align: top; }
pre { overflow-x: auto; background: #f6f6f6; padding: .8rem; font-size: .85rem; }
@media print { details { display: none; } }
"""


def report(traces: Traces) -> str:
    """The page of a run, from the traces and their manifest alone.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: The manifest describes no circuit.
    """
    said = traces.manifest
    if "texts" not in said:
        raise ValueError("these traces have no manifest of a run, so there is nothing to report")
    try:
        circuit: Circuit | None = rebuild(said)
    except (CircuitError, ValueError, OSError) as error:
        circuit, why = None, str(error)
    title = f"{said.get('circuit', 'run')}: {said.get('protocol', 'run')}"
    parts = [f"<h1>{escape(title)}</h1>"]
    if circuit is not None:
        parts += [f"<p>{escape(' '.join((circuit.title, circuit.cite)).strip())}</p>"]
        parts += _section("Circuit", _picture(circuit.draw(), "svg", f"the circuit {circuit.name}"))
        parts += _section("Equations", f"<pre>{escape(show(circuit))}</pre>")
    else:
        parts += _section("Circuit", f"<p>It cannot be built again: {escape(why)}</p>")
    parts += _curves(said)
    parts += _recorded(traces)
    if circuit is not None:
        parts += _section("Audit", f"<pre>{escape(str(circuit.audit()))}</pre>")
    parts += _section("What made it", _made(said))
    return "\n".join(_page(title, parts))


def _page(title: str, parts: list[str]) -> Iterator[str]:
    yield "<!DOCTYPE html>"
    yield f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
    yield f"<style>{STYLE}</style></head><body>"
    yield from parts
    yield "</body></html>"


def _section(name: str, body: str) -> list[str]:
    return [f"<h2>{escape(name)}</h2>", body]


def _picture(figure: Any, kind: str, text: str) -> str:
    """A figure inside the page."""
    kept = io.BytesIO()
    figure.savefig(kept, format=kind, dpi=130)
    media = {"svg": "image/svg+xml", "png": "image/png"}[kind]
    data = base64.b64encode(kept.getvalue()).decode("ascii")
    return f'<img src="data:{media};base64,{data}" alt="{escape(text, quote=True)}">'


def _curves(said: Mapping[str, Any]) -> list[str]:
    """The scores over the epochs, where the manifest holds them."""
    epochs = said.get("scores")
    if not isinstance(epochs, list) or not epochs:
        return []
    return _section("Training", _picture(curves(epochs), "svg", "test scores over the epochs"))


def _recorded(traces: Traces) -> list[str]:
    names = list(traces)
    if not names:
        return _section("Traces", "<p>Nothing was recorded.</p>")
    figure = plot(traces, names=names[:SHOWN])
    more = f"<p>{len(names) - SHOWN} more were recorded.</p>" if len(names) > SHOWN else ""
    first, *rest = repr(traces).split("\n")
    body = heading(first) + _picture(figure, "png", "the recorded variables") + more
    return _section("Traces", body + folded("all variables", "\n".join(rest)))


def _made(said: Mapping[str, Any]) -> str:
    """The manifest: in short, and whole."""
    short = {
        name: said[name]
        for name in ("created", "engine", "dtype", "seed", "replicas", "hash")
        if said.get(name) is not None
    }
    versions = ", ".join(f"{name} {value}" for name, value in said.get("versions", {}).items())
    texts = "".join(folded(str(path), str(text)) for path, text in said["texts"].items())
    rest = {name: value for name, value in said.items() if name != "texts"}
    whole = folded("manifest", json.dumps(rest, indent=1, default=str))
    return facts(short | {"versions": versions}) + texts + whole
