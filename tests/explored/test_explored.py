"""A fixed set of random circuits: numpy and torch against the interpreter, a few on numba.

`explore.py` goes further, on all engines.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from apical.compartments.connectivity import CONNECTIVITY
from apical.compartments.integrators import TABLEAUX
from apical.compartments.optimizers import OPTIMIZERS

from .circuits import drawn
from .comparison import compared, loaded
from .minimiser import minimised

SEEDS = range(120)
ON_NUMBA = (9, 27)
CONSTRUCTS = {
    *CONNECTIVITY, *OPTIMIZERS, *TABLEAUX, "bias", "bias with current",
    "current", "another variable of pre in current", "reduction in a current", "filter", "trace",
    "trace for one sample at a time", "dw/dt", "list of rules", "reduction in a rule",
    "delay", "event", "refractory time",
    "x@p in a rule", "x@p in begin", "batch: sum",
    "live weight", "weight that is a product",
    "init from another synapse", "wishart", "port", "slow variable", "noise",
    "rule of a slow variable", "after_step", "domain", "heir", "family", "reduction",
    "du/dt on a right side", "list parameter", "parameter of a population", "reads t",
    "stream of size 1 read by n units", "population of size 1", "a parameter called like a word",
    "order", "until", "residual", "from", "release",
    "clamp", "set", "draw in set", "begin", "moment", "for", "dt: h(step)", "plasticity: off",
    "learn", "learn_each_step", "when", "predict", "energy", "energy over members", "initial",
    "record every, in, mean or norm", "weights at steps",
    "carry", "several presentations in a call", "fit",
    "index", "shape", "row and column", "parameter of every unit", "parameter drawn for every unit",
    "drawn start of a slow variable", "draw in after_step", "draw in begin", "weight by place",
    "init by place", "synapse family", "statement for k", "family in an order", "record for k",
    "short last batch", "fit with carry", "first", "replicas", "names that clash", "3 phases",
}  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_numpy_and_torch_mean_what_the_interpreter_means(seed):
    case = drawn(seed)
    for engine, outcome in compared(case, ["numpy", "torch"]).items():
        assert outcome.kind != "disagreement", f"{engine}: {outcome.what}\n{case.text}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", ON_NUMBA)
def test_numba_means_what_the_interpreter_means(seed):
    case = drawn(seed)
    outcome = compared(case, ["numba"])["numba"]
    assert outcome.kind == "same", f"{outcome.what}\n{case.text}"


def test_a_seed_is_a_case():
    once, again = drawn(5), drawn(5)
    assert once is not again and once == again != drawn(6)


def test_every_construct_is_drawn():
    found = set().union(*(drawn(seed).features for seed in range(1000)))
    assert not CONSTRUCTS - found


def test_few_are_refused():
    refused = sum(loaded(drawn(seed))[0] is None for seed in SEEDS)
    assert refused < 0.15 * len(SEEDS)


def test_a_wrong_number_is_found_and_its_circuit_made_small(monkeypatch):
    """With tanh 1 % too large in the numpy engine."""
    from apical.engines import arithmetic

    cases = [drawn(seed) for seed in range(5)]
    right = [case for case in cases if compared(case, ["numpy"])["numpy"].kind == "same"]
    tanh = arithmetic.FUNCTIONS["tanh"]
    wrong = replace(tanh, numpy=lambda x: 1.01 * tanh.numpy(x))
    monkeypatch.setattr(arithmetic, "FUNCTIONS", dict(arithmetic.FUNCTIONS) | {"tanh": wrong})
    found = [case for case in right if compared(case, ["numpy"])["numpy"].kind == "disagreement"]
    small = minimised(found[0], "numpy")
    assert "tanh" in small.text and len(small.text) < len(found[0].text) / 2


@pytest.mark.slow
def test_the_command_keeps_what_it_has_found(tmp_path):
    """A second evening of the same range runs nothing again; a wider one runs the rest."""
    results = tmp_path / "explored.jsonl"
    command = [sys.executable, str(Path(__file__).with_name("explore.py"))]
    command += ["--engines", "numpy,numba-text", "--results", str(results)]
    for seeds, rows in (("0:2", 4), ("0:2", 4), ("0:3", 6)):
        done = subprocess.run([*command, "--seeds", seeds], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found = [json.loads(line) for line in results.read_text().splitlines()]
        assert len(found) == rows and {row["kind"] for row in found} <= {"same", "refused"}
        same = sum(row["kind"] == "same" for row in found) // 2
        assert same and f"numba-text   same           {same}" in done.stdout


def test_the_command_shows_a_case():
    command = [sys.executable, str(Path(__file__).with_name("explore.py")), "--show", "4"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert drawn(4).text in shown
