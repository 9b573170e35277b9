"""Threads change no bit, and BLAS computes in the thread that runs a simulation."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from threadpoolctl import threadpool_info, threadpool_limits

import apical
from apical.engines import threads
from apical.engines.numba import engine as numba_engine

from ..circuits.small import small
from ..circuits.test_parity import random_streams, states
from .test_divergence import GROWTH


def presented(circuit, protocol, count, **options):
    """All bits that a run leaves behind: traces, weights, slow variables, states, stops."""
    simulator = apical.Simulator(circuit, threads=count, dtype="float64", seed=1, **options)
    samples = 5 if circuit.streams else 1
    traces = simulator.run(
        protocol,
        learn=protocol == "train",
        batch=1 if circuit.streams else None,
        record=states(circuit),
        **random_streams(circuit, samples),
    )
    found = {name: array.values for name, array in traces.dataset.data_vars.items()}
    for table in (simulator.weights, simulator.slow, simulator.state, simulator.stopped):
        found |= {f"{name} after": array for name, array in table.items()}
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", apical.circuits())
def test_bits_do_not_depend_on_the_number_of_threads(name, monkeypatch):
    """Replicas side by side; where nothing is learnt, presentations too."""
    monkeypatch.setattr(numba_engine, "WORTH_A_THREAD", 0)
    circuit = small(name)
    for protocol in circuit.protocols:
        for replicas in (1, 3) if protocol == "train" else (1,):
            alone = presented(circuit, protocol, 1, replicas=replicas)
            for count in (2, 3):
                together = presented(circuit, protocol, count, replicas=replicas)
                assert alone.keys() == together.keys()
                for key, array in alone.items():
                    assert_array_equal(together[key], array, err_msg=f"{protocol}, {key}")


@pytest.fixture
def two_threads():
    """Libraries of threads as on a machine of two cores."""
    with threadpool_limits(2):
        assert set(limits()) == {2}
        yield


@pytest.mark.usefixtures("two_threads")
def test_blas_is_held_while_a_simulation_runs_and_let_go_after():
    """Two at once: the first to end lets go of nothing."""
    before = limits()
    with threads.one_library_thread():
        assert set(limits()) == {1}
        with threads.one_library_thread():
            assert set(limits()) == {1}
        assert set(limits()) == {1}
    assert limits() == before


@pytest.mark.usefixtures("two_threads")
def test_a_run_holds_it(monkeypatch):
    """At every presentation, and not once `run` is over."""
    seen, circuit = [], small("pc")
    simulator = apical.Simulator(circuit, engine="numpy")
    run = type(simulator._core.programs.executable("train")).run

    def looked(*arguments):
        seen.extend(limits())
        return run(*arguments)

    before = limits()
    monkeypatch.setattr("apical.engines.numpy.engine.NumpyExecutable.run", looked)
    simulator.run("train", **random_streams(circuit, 2))
    assert set(seen) == {1}
    assert limits() == before


def limits():
    """How many threads each library of threads would use."""
    return [found["num_threads"] for found in threadpool_info()]


def test_results_come_in_the_order_of_the_calls():
    waits = [0.03, 0.0, 0.01]

    def call(seconds):
        time.sleep(seconds)
        return seconds

    found = threads.side_by_side([lambda s=s: call(s) for s in waits], 3)
    assert found == waits


@pytest.mark.parametrize("count", [1, 2])
def test_an_exception_is_raised_when_all_calls_are_over(count):
    over = threading.Event()

    def fails():
        raise ValueError("broken")

    def ends():
        time.sleep(0.02)
        over.set()

    with pytest.raises(ValueError, match="broken"):
        threads.side_by_side([ends, fails], count)
    assert over.is_set()


def test_ctrl_c_waits_for_what_still_runs(monkeypatch):
    """Memory is put back after Ctrl-C: nobody may write behind it."""
    over, waited = threading.Event(), []

    def interrupted(futures):
        if not waited:
            waited.append(True)
            raise KeyboardInterrupt
        return real(futures)

    def ends():
        time.sleep(0.02)
        over.set()

    real = threads.wait
    monkeypatch.setattr(threads, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        threads.side_by_side([ends, ends], 2)
    assert over.is_set()


@pytest.mark.parametrize(
    ("span", "parts", "expected"),
    [((0, 7), 2, [(0, 3), (3, 7)]), ((5, 6), 4, [(5, 6)]), ((2, 6), 1, [(2, 6)])],
)
def test_presentations_are_shared_out_in_order(span, parts, expected):
    assert threads.in_parts(*span, parts) == expected


def test_a_number_of_threads_is_a_whole_one():
    with pytest.raises(ValueError, match="threads: expected a whole number of at least 1, got 0"):
        apical.Simulator(small("pc"), threads=0)


def test_what_diverges_in_another_thread_is_what_diverges_alone(monkeypatch):
    """The first sample in the order of the stream, with the traces of those before it."""
    monkeypatch.setattr(numba_engine, "WORTH_A_THREAD", 0)
    start = np.zeros((9, 2))
    start[[4, 7]] = 1
    said = []
    for count in (1, 3):
        simulator = apical.Simulator(apical.load_text(GROWTH), threads=count)
        with pytest.raises(apical.Divergence, match="for sample 4") as caught:
            simulator.run("train", start=start, record="net.x", batch=1)
        values = caught.value.traces.dataset["net.x"].values
        assert np.isfinite(values[0, :4]).all() and np.isnan(values[0, 5:]).all()
        said.append((str(caught.value), values))
    assert said[0][0] == said[1][0]
    assert_array_equal(said[0][1], said[1][1])
