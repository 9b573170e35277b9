"""Variants: each is tried, alone or on top of another one that it needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .circuit import Circuit
from .diagnostics import CircuitError, Diagnostic
from .load import load, variants_of


def check_variants(name_or_path: str, **overrides: Any) -> tuple[tuple[Diagnostic, ...], int]:
    """What is wrong with a file only under some variant, and how many variants were tried.

    A variant that does not load alone is tried on top of each other variant; it is wrong if it
    loads on none, and then told with what is wrong with it alone.
    """
    names = variants_of(name_or_path)
    found: dict[Diagnostic, None] = {}
    for name in names:
        alone = _loaded(name_or_path, (name,), overrides)
        if isinstance(alone, Circuit):
            continue
        below = (other for other in names if other != name)
        if not any(
            isinstance(_loaded(name_or_path, (other, name), overrides), Circuit) for other in below
        ):
            message = f" (with the variant '{name}')"
            for one in alone.diagnostics:
                found[replace(one, message=one.message + message)] = None
    return tuple(found), len(names)


def _loaded(
    name_or_path: str, variants: tuple[str, ...], overrides: dict[str, Any]
) -> Circuit | CircuitError:
    try:
        return load(name_or_path, variants=variants, **overrides)
    except CircuitError as error:
        return error
