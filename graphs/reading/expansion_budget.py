"""The budget of a load: how much a whole set of files may expand to.

A family of 9,999 members is one line, and so is a function that calls another twice. What loading
them takes is counted as it grows, over all files, sections and variants, in units of about ten
microseconds.
"""

from __future__ import annotations

import os

MOST_WORK = 300_000
VARIABLE = "APICAL_LOAD_LIMIT"  # of a user who trusts a larger file

NODE = 1  # of an expression
TEXT = 8  # an expression, each time that it is resolved
INLINED = 4  # a node of a function, where it is called
MEMBER = 10  # of a family, and a repetition of a statement
PART = 50  # a population or a synapse
LOWERED = 30  # an equation or a synapse, in each phase of each protocol
LINE = 2  # of a cell, each time that it is laid over another


def limit() -> int:
    """The limit that holds: `MOST_WORK`, or what the environment says.

    Raises:
        ValueError: The environment says something else than a whole number.
    """
    said = os.environ.get(VARIABLE, "")
    if not said:
        return MOST_WORK
    if not said.isdecimal():
        raise ValueError(f"{VARIABLE}={said}: expected a whole number, such as {10 * MOST_WORK}")
    return int(said)
