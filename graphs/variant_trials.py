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
    loads on none, and then told with what is wrong with it alone. Warnings are among what is told.
    """
    names = variants_of(name_or_path)
    found: dict[Diagnostic, None] = {}
    without = _loaded(name_or_path, (), overrides)
    known = set(without.warnings) if isinstance(without, Circuit) else set()
    for name in names:
        alone = _loaded(name_or_path, (name,), overrides)
        told = alone
        for other in names:
            if not isinstance(told, Circuit) and other != name:
                told = _loaded(name_or_path, (other, name), overrides)
        if isinstance(told, Circuit):
            diagnostics = [one for one in told.warnings if one not in known]
        else:
            assert isinstance(alone, CircuitError)
            diagnostics = list(alone.diagnostics)
        for one in diagnostics:
            found[replace(one, message=f"{one.message} (with the variant '{name}')")] = None
    return tuple(found), len(names)


def _loaded(
    name_or_path: str, variants: tuple[str, ...], overrides: dict[str, Any]
) -> Circuit | CircuitError:
    try:
        return load(name_or_path, variants=variants, **overrides)
    except CircuitError as error:
        return error
