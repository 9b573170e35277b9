"""Which room may import which, read from the source."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAY_IMPORT = {
    "compartments": {"compartments"},
    "graphs": {"graphs", "compartments"},
    "traces": {"traces", "graphs"},
    "engines": {"engines", "graphs", "compartments", "traces"},
    "models": {"models", "engines", "traces", "graphs", "compartments", "yaml_models"},
    "yaml_models": {"yaml_models"},
    "cli": {"cli", "models", "engines", "traces", "graphs", "compartments", "yaml_models"},
}
FILES = sorted(p for room in MAY_IMPORT for p in (ROOT / room).rglob("*.py"))
ROOT_FILES = [ROOT / name for name in ("__init__.py", "__main__.py")]
MODELS = {"pc", "corinfomax", "pem", "seqil", "hopfield", "sacramento", "urbanczik", "upem"}


def imports(path: Path):
    """(level, dotted module, line, whether at module level) of each import."""
    tree = ast.parse(path.read_text("utf-8"))
    lazy = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield 0, alias.name, node.lineno, id(node) not in lazy
        elif isinstance(node, ast.ImportFrom):
            names = [node.module] if node.module else [a.name for a in node.names]
            for name in names:
                yield node.level, name, node.lineno, id(node) not in lazy


def identity(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=identity)
def test_a_room_imports_only_from_the_rooms_before_it(path):
    room, depth = path.relative_to(ROOT).parts[0], len(path.relative_to(ROOT).parts) - 1
    for level, module, line, _ in imports(path):
        first = module.split(".")[0]
        if level == 0:
            assert first != "apical", f"{path.name}:{line}: inside a room imports are relative"
        if level == depth + 1 and first in MAY_IMPORT:
            assert first in MAY_IMPORT[room], f"{path.name}:{line}: {room} imports {first}"
        assert level <= depth + 1


@pytest.mark.parametrize("path", [*FILES, *ROOT_FILES], ids=identity)
def test_numba_and_torch_appear_in_engines_alone(path):
    if path.relative_to(ROOT).parts[0] != "engines":
        found = {module.split(".")[0] for level, module, _, _ in imports(path) if level == 0}
        assert not found & {"numba", "llvmlite", "torch"}


@pytest.mark.parametrize("path", FILES, ids=identity)
def test_files_are_opened_by_the_reader_alone(path):
    """Only `graphs/read.py` knows YAML."""
    found = {module.split(".")[0] for level, module, _, _ in imports(path) if level == 0}
    assert "yaml" not in found or identity(path) == "graphs/read.py"
    assert not found & {"pickle", "sympy", "cloudpickle", "dill"}


@pytest.mark.parametrize("path", [*FILES, *ROOT_FILES], ids=identity)
def test_text_is_never_run(path):
    """No eval, and exec only where the engines load the modules they print."""
    tree = ast.parse(path.read_text("utf-8"))
    calls = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and is_name(n.func)}
    assert not calls & {"eval", "sympify", "compile"}
    assert "exec" not in calls


def is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Name)


@pytest.mark.parametrize(
    "path",
    [p for p in [*FILES, *ROOT_FILES] if "models" not in identity(p).split("/")[0]],
    ids=identity,
)
def test_nothing_outside_models_is_named_after_a_model(path):
    names = {path.stem}
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node.value.isidentifier():
                names.add(node.value)
    words = {word for name in names for word in name.lower().split("_")}
    assert not words & MODELS


def test_no_file_is_called_utils(root):
    vague = {"utils", "helpers", "common", "base", "misc"}
    assert not [p for p in FILES if p.stem in vague]
