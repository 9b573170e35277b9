"""Wording: how messages name what there is: the nearest name, a list of names, a size in bytes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like `name`, None if none is."""
    names = list(dict.fromkeys(known))
    found = difflib.get_close_matches(name, names, n=1, cutoff=0.65)
    if found:
        return found[0]
    folded = {n.casefold(): n for n in names}
    found = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.65)
    return folded[found[0]] if found else None


def meant(name: str, known: Iterable[str]) -> str:
    """How a sentence on an unknown name goes on: with the nearest known one, or all of them.

    >>> meant("aple", ["apple", "pear"])
    "; did you mean 'apple'?"
    >>> meant("x", ["apple", "pear"])
    '; there are: apple, pear'
    """
    names = sorted(known)
    near = nearest(name, names)
    if near is not None:
        return f"; did you mean {near!r}?"
    return f"; there are: {', '.join(names) or 'none'}"


def listed(names: Iterable[str], most: int = 12) -> str:
    """`a, b, c`, cut after `most`."""
    found = list(dict.fromkeys(names))
    more = f", ... ({len(found)} in all)" if len(found) > most else ""
    return ", ".join(found[:most]) + more


def bytes_text(number: float) -> str:
    """A number of bytes in words.

    >>> bytes_text(3435973837)
    '3.2 GiB'
    >>> bytes_text(512)
    '512 bytes'
    """
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} bytes" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


def member_list(members: Iterable[int | None]) -> str:
    """`members 0 to 3`, or the list of them."""
    found = sorted(i for i in members if i is not None)
    if not found:
        return "the family has no members"
    if len(found) == 1:
        return f"the only member is {found[0]}"
    if found == list(range(found[0], found[-1] + 1)):
        return f"members {found[0]} to {found[-1]}"
    return "members " + ", ".join(map(str, found))
