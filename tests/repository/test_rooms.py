"""Which room may import which, read from the source."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from apical.engines.registry import ENGINES
from apical.graphs.load import bundled

ROOT = Path(__file__).resolve().parents[2]
MAY_IMPORT = {
    "compartments": {"compartments"},
    "graphs": {"graphs", "compartments"},
    "traces": {"traces", "graphs", "compartments"},
    "engines": {"engines", "graphs", "compartments", "traces"},
    "models": {"models", "engines", "traces", "graphs", "compartments", "yaml_models"},
    "yaml_models": {"yaml_models"},
    "cli": {"cli", "models", "engines", "traces", "graphs", "compartments", "yaml_models"},
}
# Inside two rooms, which sub-room may import which; "" are the files that stand in the room itself.
LOWERING = {"lowering/phases", "lowering/rules", "lowering/passes"}
BINDING = {"binding/synapses", "binding/checks"}
SIMULATION = {"simulation", "simulation/checkpoints", "simulation/training", ""}
INSIDE = {
    "graphs": {
        "expressions": {"expressions"},
        "reading": {"reading", "expressions", ""},
        "binding": {"binding", "reading", "expressions", ""},
        "binding/synapses": {"binding/synapses", "binding", "reading", "expressions", ""},
        "binding/checks": {"binding/checks", "binding", "reading", "expressions", ""},
        "lowering": {"lowering", "expressions", ""},
        "lowering/phases": {"lowering/phases", "lowering/rules", "lowering", "expressions", ""},
        "lowering/rules": {"lowering/rules", "lowering", "expressions", ""},
        "lowering/passes": {"lowering/passes", "lowering", "expressions", ""},
        "reports": {"reports", "lowering", "reading", "expressions", ""},
        "drawing": {"drawing", "reports", "expressions", ""},
        "": {"", "binding", *BINDING, "lowering", *LOWERING, "reading", "expressions"},
    },
    "engines": {
        **{engine: {engine, ""} for engine in ENGINES},  # imported by name, from the registry
        "simulation": SIMULATION,
        "simulation/checkpoints": SIMULATION,
        "simulation/sweeps": {*SIMULATION, "simulation/sweeps"},
        "simulation/training": SIMULATION - {"simulation/checkpoints"},
        "": {""},
    },
    "traces": {"plots": {"plots", ""}, "": {"", "plots"}},
}
# Doors: lazy imports in one-line methods of a value, the only arrows that run upward.
DOORS = {
    ("graphs/circuit.py", "graphs/drawing/drawing.py"),  # Circuit.draw
    ("graphs/circuit.py", "graphs/network.py"),  # Circuit.graph
    ("graphs/circuit.py", "graphs/reports/audit.py"),  # Circuit.audit()
    ("graphs/circuit.py", "graphs/reports/findings.py"),  # its type
    ("graphs/circuit.py", "graphs/reports/show.py"),  # str(circuit), HTML
    ("graphs/circuit.py", "graphs/reports/yaml_text.py"),  # Circuit.to_yaml()
    ("graphs/program.py", "graphs/reports/listing.py"),  # str(program)
    ("traces/traces.py", "traces/labelled.py"),  # dataset
    ("traces/traces.py", "traces/archive.py"),  # to_netcdf, to_npz
    ("traces/traces.py", "traces/table.py"),  # to_csv
    ("traces/traces.py", "traces/plots/plot.py"),  # plot
    ("engines/divergence.py", "engines/numpy/engine.py"),  # the referee finds the step
    (
        "engines/simulation/stability_warnings.py",
        "engines/numpy/step_spectrum.py",
    ),  # its eigenvalue
}
MOST_MODULES, MOST_LINES = 24, 400
FILES = sorted(p for room in MAY_IMPORT for p in (ROOT / room).rglob("*.py"))
ROOT_FILES = [ROOT / name for name in ("__init__.py", "__main__.py")]
OF_THE_FIELD = {"neuron", "sst"}  # words that a bundled circuit shares with everyone
MODELS = {word for name in bundled() for word in name.split("_")} - OF_THE_FIELD


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
    """Only `graphs/reading/reader.py` knows YAML."""
    found = {module.split(".")[0] for level, module, _, _ in imports(path) if level == 0}
    assert "yaml" not in found or identity(path) == "graphs/reading/reader.py"
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


# --- sub-rooms, circles, doors -------------------------------------------------------------------


def imported(path: Path):
    """The files of the package that a file imports, lazily or for its types, too."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        folder = path.parents[node.level - 1]
        place = folder.joinpath(*(node.module or "").split("."))
        for name in (alias.name for alias in node.names):
            for found in (place / f"{name}.py", place.with_suffix(".py"), place / "__init__.py"):
                if found.is_file():
                    yield found
                    break


@pytest.fixture(scope="module")
def arrows():
    return {identity(p): {identity(q) for q in imported(p)} for p in FILES}


def sub_room(path: str) -> str:
    return "/".join(path.split("/")[1:-1])


def test_no_file_imports_itself_in_a_circle(arrows):
    """Lazy and type-checking imports are counted, doors apart."""
    without = {
        a: {b for b in found if b != a and (a, b) not in DOORS} for a, found in arrows.items()
    }
    try:
        list(TopologicalSorter(without).static_order())
    except CycleError as error:
        pytest.fail("a circle of imports: " + " <- ".join(error.args[1]))


def test_every_door_is_used(arrows):
    assert not {(a, b) for a, b in DOORS if b not in arrows[a]}


def test_a_sub_room_imports_only_from_those_it_may(arrows):
    wrong = []
    for a, found in arrows.items():
        room = a.split("/")[0]
        for b in found:
            if b.split("/")[0] != room or room not in INSIDE or (a, b) in DOORS:
                continue
            if b.endswith("__init__.py") or a.endswith("__init__.py"):
                continue
            if sub_room(b) not in INSIDE[room][sub_room(a)]:
                wrong.append((a, b))
    assert not wrong


def test_no_room_is_crowded_and_no_file_long():
    for folder in {p.parent for p in FILES}:
        modules = [p for p in folder.glob("*.py") if p.name != "__init__.py"]
        assert len(modules) <= MOST_MODULES, f"{identity(folder)}: {len(modules)} modules"
    long = {identity(p): len(p.read_text("utf-8").splitlines()) for p in FILES}
    assert not {p: n for p, n in long.items() if n > MOST_LINES}
