"""How numba compiles what generated code calls."""

from __future__ import annotations

from typing import Any

PLAIN: dict[str, Any] = {
    "cache": True,
    "error_model": "numpy",
    "fastmath": {"contract", "nsz", "arcp"},
}
INLINE: dict[str, Any] = {**PLAIN, "forceinline": True, "no_cfunc_wrapper": True}
EXACT: dict[str, Any] = {**INLINE, "fastmath": False}
FAST: dict[str, Any] = {
    "cache": True,
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "nsz", "arcp"},
    "no_cfunc_wrapper": True,
}
