"""Buffers are named in one file, and no other composes a name or reads one."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMING = "graphs/buffer.py"
ROOMS = ("graphs/lowering", "engines")
FRONT = (
    "graphs/lower.py",
    "graphs/program.py",
    "graphs/instructions.py",
    "graphs/trial_lowering.py",
)
FILES = sorted(
    [p for room in ROOMS for p in (ROOT / room).rglob("*.py")] + [ROOT / name for name in FRONT]
)
READERS = {"startswith", "endswith", "split", "rsplit", "partition", "rpartition"}
READERS |= {"removeprefix", "removesuffix"}
READS_OTHER_TEXTS = {  # what is read there is no name of a buffer
    "graphs/lowering/synapse_ends.py",  # the last word of `pre.x`, for a message
    "engines/kernel_cache.py",  # names of files
    "engines/registry.py",  # names of devices
    "engines/simulation/replica_parameters.py",  # members of a family: eta[1]
    "engines/simulation/sweeps/sweep.py",
    "engines/simulation/sweeps/table.py",  # columns of a file
    "engines/torch/kernels.py",  # names of dtypes
}
NAMES_PROGRAMS = {"graphs/lower.py"}  # circuit.protocol


def identity(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def docstrings(tree: ast.AST) -> set[int]:
    return {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}


def composed(node: ast.AST) -> bool:
    """`"#step"`, `f"${name}"`, `f"{target}~lost"` or exactly `f"{owner}.{part}"`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return bool(re.match(r"[#$@~]\w+$", node.value))
    if not isinstance(node, ast.JoinedStr):
        return False
    fixed = "\0".join(p.value if isinstance(p, ast.Constant) else "" for p in node.values)
    pairs = [type(p) for p in node.values]
    dotted = pairs == [ast.FormattedValue, ast.Constant, ast.FormattedValue]
    marks = re.match(r"^\0?[#$@]\0", fixed) or "~" in fixed
    return bool(marks) or (dotted and node.values[1].value == ".")


def looks_at_first_letter(node: ast.AST) -> bool:
    """`name[0] == "#"`."""
    if not isinstance(node, ast.Compare) or not isinstance(node.left, ast.Subscript):
        return False
    texts = [c.value for c in node.comparators if isinstance(c, ast.Constant)]
    return any(isinstance(t, str) and len(t) == 1 and not t.isalnum() for t in texts)


def reads_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in READERS
    )


@pytest.mark.parametrize("path", FILES, ids=identity)
def test_no_file_but_one_composes_or_reads_names_of_buffers(path):
    tree = ast.parse(path.read_text("utf-8"))
    said = docstrings(tree)
    for node in ast.walk(tree):
        where = f"{identity(path)}:{getattr(node, 'lineno', 0)}"
        if identity(path) not in NAMES_PROGRAMS and id(node) not in said:
            assert not composed(node), f"{where} composes a name; {NAMING} does"
        assert not looks_at_first_letter(node), f"{where} reads a name: ask its buffer"
        if identity(path) not in READS_OTHER_TEXTS:
            assert not reads_text(node), f"{where} reads a text; of a buffer, ask its record"


@pytest.mark.parametrize(
    "line",
    ['memory["#step"]', 'f"${name}"', 'f"{target}~lost"', 'f"{owner}.{part}"', 'f"#{name}"'],
)
def test_a_composed_name_is_seen(line):
    assert any(map(composed, ast.walk(ast.parse(line))))


def test_a_name_that_is_read_is_seen():
    assert any(map(looks_at_first_letter, ast.walk(ast.parse('name[0] == "#"'))))
    assert any(map(reads_text, ast.walk(ast.parse('name.endswith("x")'))))
