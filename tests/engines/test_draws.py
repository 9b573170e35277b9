"""Draws are a function of seed, place in the file, unit, sample and step, and of nothing else."""

from __future__ import annotations

import json
import math
from hashlib import blake2b

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import apical
from apical.engines.simulation.draw_counters import Counters

pytest.importorskip("torch")
ENGINES = ["numpy", "numba", "torch"]
CLOSE = {"rtol": 1e-13, "atol": 1e-13}  # normals agree within 2 ulp

TEXT = """\
apical: 1
name: noise
parameters:
  q: 0
  p: 0
functions:
  twice(u): u + u
data:
  target: 3
cells:
  walker:
    soma:
      - dx/dt = xi
      - dz/dt = xi - 2*xi
      - dd/dt = twice(xi)
      - y = q + 1000*p
populations:
  n:
    cell: walker
    size: 3
predicts:
  target: n.x
protocols:
  train:
    first:
      set:
        - q = uniform(0, 1) - uniform(0, 1)
        - p = random_sign()
      begin:
        - n.x := 0
        - n.z := 0
        - n.d := 0
      steps: 2
      dt: 1
    second:
      begin: n.x := 0
      steps: 2
      dt: 1
  predict: first
"""
RECORD = ["n.x", "n.z", "n.d", "n.y"]


def plain_philox(counter, key):
    """Ten rounds in Python integers (Salmon et al. 2011)."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    low = 2**32 - 1
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & low, (p0 >> 32) ^ c3 ^ k1, p0 & low
        k0, k1 = (k0 + 0x9E3779B9) & low, (k1 + 0xBB67AE85) & low
    return c0, c1, c2, c3


def words(seed, name, unit, step, sample):
    """The block of one draw, as docs/design.md states it."""
    digest = blake2b(f"{seed}:{name}".encode(), digest_size=8).digest()
    key = int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")
    rest = ((step >> 32) << 16) | (sample >> 32)
    return plain_philox((unit, step % 2**32, sample % 2**32, rest), key)


def unit_interval(high, low):
    return (((high >> 5) << 26) | (low >> 6)) / 2**53


def normal(*place):
    a, b, c, d = words(*place)
    radius = math.sqrt(-2 * math.log1p(-unit_interval(a, b)))
    return radius * math.cos(2 * math.pi * unit_interval(c, d))


def normals(seed, name, step, samples):
    """(sample, unit)."""
    return np.array([[normal(seed, name, unit, step, s) for unit in range(3)] for s in samples])


@pytest.fixture(scope="module")
def circuit():
    return apical.load_text(TEXT)


def increments(traces, name, phase):
    """What one phase added in each step: (sample, step, unit); dt is 1."""
    rows = traces.arrays[name][0][:, traces.phases == phase]
    return np.diff(rows, axis=1)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_place_draws_its_own(circuit, engine):
    """Each phase, variable, `xi` of a line, unit, step and sample; a repeated argument is one."""
    sim = apical.Simulator(circuit, engine=engine, seed=5)
    traces = sim.run(samples=4, record=RECORD)
    samples = range(4)
    for phase, offset in (("first", 0), ("second", 2)):
        for step in (0, 1):
            at = (offset + step, samples)
            x = normals(5, f"xi({phase}.n.x)", *at)
            assert_allclose(increments(traces, "n.x", phase)[:, step], x, **CLOSE)
            z = normals(5, f"xi({phase}.n.z)", *at) - 2 * normals(5, f"xi({phase}.n.z)#1", *at)
            assert_allclose(increments(traces, "n.z", phase)[:, step], z, **CLOSE)
            d = 2 * normals(5, f"xi({phase}.n.d)", *at)
            assert_allclose(increments(traces, "n.d", phase)[:, step], d, **CLOSE)


@pytest.mark.parametrize("engine", ENGINES)
def test_set_draws_once_per_presentation(circuit, engine):
    sim = apical.Simulator(circuit, engine=engine, seed=5)
    y = sim.run(samples=9, batch=2, record=RECORD).arrays["n.y"][0]
    for sample in range(9):
        at = (0, 0, sample - sample % 2)  # the number of the batch's first sample
        a, b = (words(5, name, *at) for name in ("uniform(first.q)", "uniform(first.q)#1"))
        q = unit_interval(*a[:2]) - unit_interval(*b[:2])
        p = 1.0 if words(5, "random_sign(first.p)", *at)[0] >> 31 else -1.0
        assert_allclose(y[sample], q + 1000 * p, rtol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_batches_of_every_size_draw_the_same(circuit, engine):
    """256 samples at once, one by one, and with a smaller last batch."""

    def drawn(batch, count=256):
        sim = apical.Simulator(circuit, engine=engine, seed=1)
        return sim.run(samples=count, batch=batch, record=["n.x", "n.z"]).arrays

    whole = drawn(256)
    for batch in (1, 100):
        for name, values in drawn(batch).items():
            assert_array_equal(values, whole[name])
    ten = drawn(4, 10)["n.x"][0, :, 1]
    assert len(np.unique(ten, axis=0)) == 10
    assert_array_equal(ten, whole["n.x"][0, :10, 1])


@pytest.mark.parametrize("engine", ENGINES)
def test_run_and_fit_count_on_each_for_itself(circuit, engine, tmp_path):
    """Until `first=0` repeats; `predict` and `evaluate` begin at 0 and disturb neither."""
    samples = {"target": np.zeros((4, 3))}
    sim = apical.Simulator(circuit, engine=engine, seed=1)
    options = {"samples": 5, "record": ["n.x"]}
    first = sim.run(**options).arrays["n.x"]
    sim.evaluate(samples)
    sim.fit(samples, batch=3)
    assert sim.counters.samples == {"fit": 4, "run": 5}
    second = sim.run(**options).arrays["n.x"]
    assert not np.isin(second[0, :, 1], first[0, :, 1]).any()
    whole = apical.Simulator(circuit, engine=engine, seed=1).run(samples=10, record=["n.x"])
    assert_array_equal(np.concatenate([first, second], axis=1), whole.arrays["n.x"])
    assert_array_equal(sim.run(**options, first=0).arrays["n.x"], first)
    assert_array_equal(sim.run(**options).arrays["n.x"], second)

    guesses = [sim.predict(samples, batch=n)["target"] for n in (4, 3, 1)]
    assert_array_equal(guesses[0], guesses[1])
    assert_array_equal(guesses[0], guesses[2])
    assert_allclose(guesses[0], first[0, :4, 2], **CLOSE)  # the end of the phase `first`

    sim.save(tmp_path / "counted.safetensors")
    again = apical.Simulator.resume(tmp_path / "counted.safetensors")
    assert_array_equal(again.run(**options).arrays["n.x"], sim.run(**options).arrays["n.x"])


@pytest.mark.parametrize("engine", ENGINES)
def test_counts_beyond_32_bits(circuit, engine):
    far = 2**32 + 7
    sim = apical.Simulator(circuit, engine=engine, seed=2)
    x = increments(sim.run(samples=2, record=["n.x"], first=far), "n.x", "first")
    assert_allclose(x[:, 0], normals(2, "xi(first.n.x)", 0, (far, far + 1)), **CLOSE)
    sim.counters.going.steps = 3 * 2**32
    x = increments(sim.run(samples=2, record=["n.x"], carry=True), "n.x", "first")
    assert_allclose(x[:, 1], normals(2, "xi(first.n.x)", 3 * 2**32 + 1, (far, far + 1)), **CLOSE)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_replica_draws_what_its_seed_draws_alone(circuit, engine):
    many = apical.Simulator(circuit, engine=engine, seed=3, replicas=2)
    arrays = many.run(samples=3, batch=2, record=RECORD).arrays
    for replica in range(2):
        one = apical.Simulator(circuit, engine=engine, seed=3 + replica)
        for name, alone in one.run(samples=3, batch=2, record=RECORD).arrays.items():
            assert_allclose(arrays[name][replica], alone[0], **CLOSE)


def test_two_draws_of_a_line_do_not_cancel(circuit):
    """For 2000 samples: xi - 2 xi has the variance 5, not 1; neighbours are uncorrelated."""
    sim = apical.Simulator(circuit, engine="numpy", seed=0)
    traces = sim.run(samples=2000, record=["n.x", "n.z"])
    z = increments(traces, "n.z", "first")
    assert z.var() == pytest.approx(5, rel=0.05)
    x = np.concatenate([increments(traces, "n.x", p) for p in ("first", "second")], axis=1)
    found = np.corrcoef(x.reshape(2000, -1).T)
    assert_allclose(found, np.eye(12), atol=0.1)


def test_what_first_cannot_be(circuit, refused):
    sim = apical.Simulator(circuit, engine="numpy")
    with refused(ValueError):
        sim.run(first=-1)
    for wrong in (1.5, True, "0"):
        with refused(ValueError):
            sim.run(first=wrong)
    sim.run(samples=2)
    with refused(ValueError):
        sim.run(samples=2, carry=True, first=0)


@pytest.mark.parametrize("change", ["negative", "missing", "replicas", "text", "nan", "none"])
def test_what_a_checkpoint_cannot_say(circuit, change, refused):
    sim = apical.Simulator(circuit, engine="numpy", replicas=2)
    sim.run(samples=2)
    facts = json.loads(json.dumps(sim.counters.facts()))
    assert Counters.of(facts, 2).facts() == facts
    match change:
        case "negative":
            facts["samples"]["run"] = -1
        case "missing":
            del facts["going"]["first"]
        case "replicas":
            facts["going"]["clock"]["now"].append(0.0)
        case "text":
            facts["going"]["steps"] = "4"
        case "nan":
            facts["going"]["clock"]["dt"][0] = float("nan")
        case "none":
            facts = None
    with refused(ValueError, quoted=True):
        Counters.of(facts, 2)


CLAMPED = """
apical: 1
name: clamped-noise
cells:
  cell:
    soma: dx/dt = -x + xi
populations:
  p:
    cell: cell
    size: 2
protocols:
  train:
    held:
      clamp: p.x = 1
      steps: 3
      dt: 0.5
    free:
      release: p.x
      steps: 2
      dt: 0.5
"""


def test_noise_of_a_state_that_is_clamped_at_first():
    sim = apical.Simulator(apical.load_text(CLAMPED), engine="numpy")
    x = sim.run("train", record=["p.x"])["p.x"].values.reshape(-1, 2)
    np.testing.assert_array_equal(x[:4], 1)
    assert np.all(x[5] != x[4] * 0.5)


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_steps_count_where_noise_is_clamped(engine):
    """A phase that draws nothing takes its steps, too."""
    names = ("n.x", "n.z", "n.d")
    clamps = "".join(f"        - {name} = 1\n" for name in names)
    ends = "".join(f"        - {name}\n" for name in names)
    text = TEXT[: TEXT.index("protocols:")] + (
        f"protocols:\n  train:\n    held:\n      clamp:\n{clamps}      steps: 4\n      dt: 1\n"
        f"    free:\n      release:\n{ends}      begin: n.x := 0\n      steps: 2\n      dt: 1\n"
        "  predict: held\n"
    )
    sim = apical.Simulator(apical.load_text(text), engine=engine, seed=5)
    x = increments(sim.run(samples=2, record=["n.x"]), "n.x", "free")
    for step in (0, 1):
        assert_allclose(x[:, step], normals(5, "xi(free.n.x)", 4 + step, (0, 1)), **CLOSE)
