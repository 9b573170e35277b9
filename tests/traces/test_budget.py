import numpy as np

import apical
from apical.traces.recording_budget import BudgetError, check_budget, recording_bytes


def test_the_estimate_is_what_the_arrays_weigh():
    units = {"layer[1].x": 7, "F": 1}
    arrays = [np.zeros((2, 3, 5, 7), np.float32), np.zeros((2, 3, 5), np.float32)]
    estimate = recording_bytes(units, rows=5, samples=3, replicas=2, itemsize=4)
    assert estimate == sum(a.nbytes for a in arrays)


def test_above_the_budget_it_says_the_numbers_and_what_to_do(refused):
    with refused(BudgetError) as caught:
        check_budget({"layer[1].v": 500, "F": 1}, rows=42, samples=60_000)
    text = str(caught.value)
    for part in ("9.4 GiB", "2.0 GiB", "501", "42", "60000", "layer[1].v every 5"):
        assert part in text


def test_within_the_budget_the_bytes_come_back():
    assert check_budget({"F": 1}, rows=10, samples=2) == 160


def test_rows_that_no_record_takes_weigh_nothing(refused):
    circuit = apical.load("neuron")  # 160 steps
    sim = apical.Simulator(circuit, engine="numpy")
    traces = sim.run("train", record=["neuron.u every 40"], budget=5 * 8)
    assert sum(a.nbytes for a in traces.arrays.values()) == 5 * 8
    with refused(BudgetError):
        sim.run("train", record=["neuron.u every 40"], budget=4 * 8)
    assert sim.run("train", record=["neuron.u every 80"], budget=4 * 8).arrays
