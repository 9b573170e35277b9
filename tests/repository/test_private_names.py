"""No object pokes another's private names: `_name` is asked of `self` and `cls` alone."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("compartments", "graphs", "traces", "engines", "models", "cli", "yaml_models")
ALLOWED = {
    ("engines/torch/graph_capture.py", "_local_scalar_dense"),  # torch has no public name for it
    ("engines/torch/graph_capture.py", "_python_dispatch"),
    ("engines/numba/views.py", "_getvalue"),  # nor numba for that of a structure,
    ("engines/kernel_cache.py", "_guard_against_spurious_io_errors"),  # nor for
    ("engines/kernel_cache.py", "_load_overload"),  # its own cache
    ("traces/traces.py", "_repr_html_"),  # the name that notebooks call
}


def private(name: str | None) -> bool:
    return bool(name) and name.startswith("_") and not name.startswith("__")


def poked(path: Path):
    """(line, name) of each private name of another object or module."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute) and private(node.attr):
            owner = node.value
            if not (isinstance(owner, ast.Name) and owner.id in ("self", "cls")):
                yield node.lineno, node.attr
        elif isinstance(node, ast.ImportFrom):
            words = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            yield from ((node.lineno, word) for word in words if private(word))


def test_no_object_pokes_the_private_names_of_another():
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    found = {
        (path.relative_to(ROOT).as_posix(), line, name)
        for path in files
        for line, name in poked(path)
    }
    assert not {(path, line, name) for path, line, name in found if (path, name) not in ALLOWED}
    assert {(path, name) for path, _, name in found} == ALLOWED


def test_a_poke_is_seen(tmp_path):
    path = tmp_path / "room.py"
    path.write_text("from .a import _b\n\n\ndef f(self, other):\n    return self._x + other._y\n")
    assert sorted(poked(path)) == [(1, "_b"), (5, "_y")]
