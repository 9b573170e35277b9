"""HTML for notebooks: tables and listings, with every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

LEFT = "style='text-align:left'"


def heading(text: str) -> str:
    """A line in bold."""
    return f"<b>{escape(text)}</b>"


def facts(pairs: Mapping[str, object]) -> str:
    """Names and values, a row each."""
    rows = "".join(
        f"<tr><th {LEFT}>{escape(name)}</th><td {LEFT}>{escape(str(value))}</td></tr>"
        for name, value in pairs.items()
    )
    return f"<table>{rows}</table>"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows under headings."""
    head = "".join(f"<th {LEFT}>{escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td {LEFT}>{escape(str(value))}</td>" for value in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def folded(title: str, text: str) -> str:
    """A text that a click opens, letters of one width."""
    return f"<details><summary>{escape(title)}</summary><pre>{escape(text)}</pre></details>"
