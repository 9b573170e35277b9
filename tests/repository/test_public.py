"""The public names, and what importing them costs."""

import subprocess
import sys

import pytest

import apical

GOLDEN = [
    "CheckpointError", "Circuit", "CircuitError", "Diagnostic", "Divergence", "Interrupted",
    "Program", "Simulator", "Sweep", "Traces", "__version__", "load", "load_text", "lower", "tasks",
]  # fmt: skip
HEAVY = [
    "numba",
    "torch",
    "xarray",
    "matplotlib",
    "pandas",
    "scipy",
    "sympy",
    "networkx",
    "sklearn",
]


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_public_names_are_the_golden_list():
    assert sorted(apical.__all__) == GOLDEN
    assert set(GOLDEN) <= set(dir(apical))


@pytest.mark.parametrize("name", GOLDEN)
def test_each_public_name_is_there(name):
    assert getattr(apical, name) is getattr(apical, name)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Circus'"):
        _ = apical.Circus


def test_importing_apical_imports_nothing_heavy():
    out = python(f"import sys, apical; print([m for m in {HEAVY} if m in sys.modules])")
    assert out.strip() == "[]"


def test_describing_a_circuit_needs_no_engine_and_no_plots():
    heavy = ["numba", "torch", "xarray", "matplotlib", "pandas", "sklearn"]
    code = "import sys, apical; apical.load('neuron'); "
    code += f"print([m for m in {heavy} if m in sys.modules])"
    assert python(code).strip() == "[]"


def test_importing_apical_is_quick():
    """Under 0.4 s; the best of three, as others may be using the machine."""
    code = "import time; t = time.perf_counter(); import apical; print(time.perf_counter() - t)"
    assert min(float(python(code)) for _ in range(3)) < 0.4
