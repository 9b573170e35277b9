"""The public names, and what importing them costs."""

import subprocess
import sys
from pathlib import Path

import pytest

import apical

GOLDEN = [
    "CheckpointError", "Circuit", "CircuitError", "Diagnostic", "Divergence", "Interrupted",
    "PrecisionWarning", "PredictionWarning", "Program", "Simulator", "SmallWorkWarning", "Sweep",
    "Traces", "WeightWarning", "__version__", "circuits", "load", "load_text", "lower", "parallel",
    "tasks",
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


def test_completion_shows_them_alone():
    code = "import apical, apical.engines.numpy.engine; apical.tasks; print(*dir(apical))"
    assert python(code).split() == GOLDEN


@pytest.mark.parametrize("name", GOLDEN)
def test_each_public_name_is_there_and_says_what_it_is(name):
    if name == "parallel":
        pytest.importorskip("torch")
    found = getattr(apical, name)
    assert name == "__version__" or found.__doc__ and found.__name__.endswith(name)


def test_the_bundled_circuits_are_listed_with_what_they_are_for():
    found = apical.circuits()
    folder = Path(apical.__file__).parent / "yaml_models"
    assert list(found) == sorted(path.stem for path in folder.glob("*.yaml"))
    pc, neuron = found["pc"], found["neuron"]
    assert (pc.streams, pc.predicts) == (("image", "label"), ("label",))
    assert "zil" in pc.variants and "Millidge" in pc.cite
    assert pc.purpose == "predicts label from image"
    assert neuron.streams == () and neuron.purpose == "is simulated by itself"
    lines = str(found).split("\n")
    assert len(lines) == len(found) and all(
        one.title in line for one, line in zip(found.values(), lines, strict=True)
    )


def test_warnings_can_be_told_apart_without_an_engine():
    names = ("PrecisionWarning", "PredictionWarning", "SmallWorkWarning", "WeightWarning")
    code = f"import sys, apical; print([issubclass(getattr(apical, n), Warning) for n in {names}]"
    assert python(code + "); assert 'torch' not in sys.modules").strip() == str([True] * 4)


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
    """Under 0.4 s of its own, whoever else uses the machine."""
    code = "import time; t = time.process_time(); import apical; print(time.process_time() - t)"
    assert min(float(python(code)) for _ in range(3)) < 0.4
