"""Streams are given by their names, which may be any: also those of the arguments of `run`."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import apical

TEXT = """
apical: 1
name: named
data:
  {name}: 2
cells:
  source:
    soma: r = {name}
populations:
  p:
    cell: source
    size: 2
protocols:
  train:
    look:
      steps: 1
      dt: 1
"""
ARGUMENTS = [
    name
    for name, one in inspect.signature(apical.Simulator.run).parameters.items()
    if one.kind is not inspect.Parameter.VAR_KEYWORD
]
VALUES = np.arange(6.0).reshape(3, 2)


def simulator(name, engine="numpy"):
    if engine == "torch":
        pytest.importorskip("torch")
    return apical.Simulator(apical.load_text(TEXT.format(name=name)), engine=engine)


@pytest.mark.parametrize("name", [*ARGUMENTS, "by_name", "time", "sample", "lambda"])
@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_a_stream_may_have_any_name(name, engine):
    traces = simulator(name, engine).run("train", streams={name: VALUES}, record=["p.r"])
    np.testing.assert_array_equal(traces.arrays["p.r"][0, :, -1], VALUES)


def test_a_compiled_stream_may_be_called_as_an_argument():
    traces = simulator("batch", "numba").run(streams={"batch": VALUES}, record=["p.r"], batch=2)
    np.testing.assert_array_equal(traces.arrays["p.r"][0, :, -1], VALUES)


def test_both_ways_are_one():
    text = TEXT.replace("{name}: 2", "a: 2\n  b: 2").replace("{name}", "a + 10*b")
    sim = apical.Simulator(apical.load_text(text), engine="numpy")
    traces = sim.run(streams={"a": VALUES}, b=VALUES + 1, record=["p.r"])
    np.testing.assert_array_equal(traces.arrays["p.r"][0, :, -1], 11 * VALUES + 10)


@pytest.mark.parametrize("name", [n for n in ARGUMENTS if n != "self"])
@pytest.mark.parametrize("values", [VALUES, VALUES.tolist()], ids=["array", "list"])
def test_numbers_for_an_argument_are_meant_for_the_stream_of_that_name(name, values):
    with pytest.raises(ValueError, match=rf"stream of named; .*`streams={{'{name}': \.\.\.}}`"):
        simulator(name).run(**{name: values})


@pytest.mark.parametrize("name", ["learn", "carry"])
@pytest.mark.parametrize("wrong", [VALUES, "no", 2, None], ids=["array", "text", "2", "None"])
def test_what_is_true_or_false_is_no_other_value(name, wrong):
    with pytest.raises(ValueError, match=f"{name}: expected True or False, got "):
        simulator("x").run(x=VALUES, **{name: wrong})


def test_a_stream_that_is_given_twice_is_refused(refused):
    with refused(ValueError):
        simulator("x").run(streams={"x": VALUES}, x=VALUES)


def test_streams_are_given_by_name(refused):
    with refused(ValueError):
        simulator("x").run(streams=VALUES)


def test_a_sweep_takes_them_too(tmp_path):
    path = tmp_path / "named.yaml"
    path.write_text(TEXT.format(name="batch"))
    (traces,) = apical.Sweep(path, {}, engine="numpy").run(
        streams={"batch": VALUES}, record=["p.r"]
    )
    np.testing.assert_array_equal(traces.arrays["p.r"][0, :, -1], VALUES)
