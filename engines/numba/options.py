"""How numba compiles what generated code calls: never Python, so that no wrapper is needed."""

from __future__ import annotations

from typing import Any

CALLED: dict[str, Any] = {
    "cache": True,
    "error_model": "numpy",
    "no_cfunc_wrapper": True,
    "no_cpython_wrapper": True,
}
PLAIN: dict[str, Any] = {**CALLED, "fastmath": {"contract", "nsz", "arcp"}}
INLINE: dict[str, Any] = {**PLAIN, "forceinline": True}
EXACT: dict[str, Any] = {**INLINE, "fastmath": False}
FAST: dict[str, Any] = {**CALLED, "fastmath": {"reassoc", "contract", "nsz", "arcp"}}
