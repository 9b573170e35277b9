"""Every point of a sweep is as it would be alone; there are as many runs as programs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose
from typer.testing import CliRunner

import apical
from apical import Sweep
from apical.cli import app

CLOSE = {"rtol": 1e-10, "atol": 1e-10}


def streams(samples=6):
    rng = np.random.default_rng(0)
    return {"image": rng.uniform(size=(samples, 5)), "label": rng.uniform(size=(samples, 2))}


def alone(point, engine):
    """The same combination by itself, by the words of `load` and `Simulator` only."""
    values = dict(point.values)
    variants, eta = values.pop("variants", ()), values.pop("eta")
    circuit = apical.load("pc", variants=variants, **values)
    return apical.Simulator(circuit, engine=engine, seed=point.seed, parameters={"eta": eta})


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_each_point_equals_its_solo_run(engine):
    if engine == "torch":
        pytest.importorskip("torch")
    grid = {
        "sizes": [[5, 4, 2], [5, 3, 2]],
        "T": [4],
        "eta": [0.01, 0.05],
        "variants": [[], ["linear"]],
    }
    sweep = Sweep("pc", grid, seeds=[0, 7], engine=engine)
    assert len(sweep.points) == 2 * 2 * 2 * 2
    assert len(sweep.simulators) == 2 * 2  # eta and the seed are replicas
    assert {s.replicas for s in sweep.simulators} == {2 * 2}
    sweep.fit(streams(4), epochs=2, batch=2)
    scores = sweep.evaluate(streams())
    for point, score in zip(sweep.points, scores, strict=True):
        one = alone(point, engine)
        one.fit(streams(4), epochs=2, batch=2)
        for name, expected in one.weights.items():
            assert_allclose(point.weights[name], expected, **CLOSE, err_msg=str(point.values))
        expected = {**point.values, "seed": point.seed} | one.evaluate(streams())
        assert list(score) == list(expected)
        assert_allclose(score["squared_error"], expected["squared_error"], **CLOSE)
    assert len({round(float(s["squared_error"]), 9) for s in scores}) == len(scores)


def test_points_are_in_the_order_of_the_grid():
    grid = {"eta": [0.01, 0.02], "T": [4, 6]}
    sweep = Sweep("pc", {"sizes": [[5, 4, 2]], **grid}, seeds=2, engine="numpy")
    found = [(p.values["eta"], p.values["T"], p.seed) for p in sweep.points]
    assert found == [(e, t, s) for e in grid["eta"] for t in grid["T"] for s in range(2)]
    assert len(sweep.simulators) == 2


def test_values_that_make_no_difference_to_the_program_share_a_run():
    sweep = Sweep("pc", {"sizes": [[5, 4, 2]], "T": [4, 4.0]}, engine="numpy")
    assert len(sweep.simulators) == 1 and len(sweep.points) == 2


def test_a_single_point():
    sweep = Sweep("pc", {"sizes": [[5, 4, 2]]}, engine="numpy")
    (score,) = sweep.evaluate(streams())
    assert np.ndim(score["squared_error"]) == 0
    assert sweep.points[0].weights["W[1]"].ndim == 2


def test_wrong_words_are_told(refused):
    with refused(apical.CircuitError):
        Sweep("pc", {"etaa": [1, 2]})
    with refused(ValueError):
        apical.Simulator(apical.load("pc"), engine="numpy", seed=[1], replicas=2)


def test_the_command_prints_a_line_for_each_point():
    pytest.importorskip("sklearn")
    words = "sweep pc --engine numpy --batch 200 --replicas 2 --json --set T=1 --set eta=0.01,0.02"
    done = CliRunner().invoke(app, [*words.split(), "--set", "sizes=[64,4,10],[64,6,10]"])
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in done.output.splitlines() if line.startswith("{")]
    assert [(r["sizes"][1], r["eta"], r["seed"]) for r in rows] == [
        (n, eta, seed) for eta in (0.01, 0.02) for n in (4, 6) for seed in (0, 1)
    ]
    assert all(0 <= r["accuracy"] <= 1 for r in rows)
    wrong = CliRunner().invoke(app, ["sweep", "pc", "--set", "eta"])
    assert wrong.exit_code == 2 and "as in --set h=0.02,0.05" in wrong.output


def test_a_checkpoint_holds_one_simulator(refused):
    sweep = apical.Sweep("pc", {"sizes": [[4, 3, 2], [4, 2, 2]]}, engine="numpy")
    with refused(ValueError):
        sweep.fit({}, checkpoint="a.safetensors")
