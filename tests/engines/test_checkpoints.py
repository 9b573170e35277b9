"""A checkpoint holds all that a training needs to go on, and is refused where it does not."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import apical
from apical.engines.numba.engine import NumbaExecutable
from apical.engines.numpy.engine import NumpyExecutable
from apical.traces import safetensors_file as checkpoint

CIRCUIT = """
apical: 1
name: kept
title: Everything that a checkpoint holds
parameters:
  eta: 0.05
  gain: [1, 2, 3]
  sizes: [4, 3]
data:
  image: sizes[0]
cells:
  sensory:
    soma: r = image
  neuron:
    basal: v = input
    soma: du/dt = v - u + theta * gain + 0.01 * t
    slow:
      theta: 0.5
    rules: theta += eta * (u - theta)
populations:
  x:
    cell: sensory
    size: sizes[0]
  y:
    cell: neuron
    size: sizes[1]
synapses:
  W:
    from: x.r
    to: y.basal
    init: xavier_uniform
    rule: w += post.u * (pre - post.u * w)
    optimizer: adam(eta)
  V:
    from: y.u
    to: y.basal
    connect: all_but_self
    init: 0.1
    filter: [1, 2]
    rule: w -= eta * post.u * pre
protocols:
  train:
    settle:
      steps: 5
      dt: 0.1
      learn: W; V; y.theta
"""
DATA = {"image": np.random.default_rng(0).normal(size=(23, 4))}
ENGINES = ["numpy", "numba", "torch"]


def simulator(engine: str = "numpy", **settings) -> apical.Simulator:
    if engine == "torch":
        pytest.importorskip("torch")
    settings = {"seed": 3, "replicas": 2} | settings
    return apical.Simulator(apical.load_text(CIRCUIT), engine=engine, **settings)


def arrays(sim: apical.Simulator) -> dict[str, bytes]:
    return {n: a.tobytes() for n, a in sim._core.state.arrays.items() if n[0] != "$"}


@pytest.fixture
def path(tmp_path):
    place = tmp_path / "run.safetensors"
    sim = simulator()
    sim.parameters["eta"] = [0.01, 0.02]
    sim.fit(DATA, batch=5)
    sim.save(place)
    return place


# --- what comes back -----------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_resumed_simulator_goes_on_bit_by_bit(engine, dtype, tmp_path):
    sim = simulator(engine, dtype=dtype, parameters={"eta": [0.01, 0.03]})
    sim.fit(DATA, batch=5)
    sim.save(tmp_path / "a.safetensors")
    again = apical.Simulator.resume(tmp_path / "a.safetensors")
    assert arrays(again) == arrays(sim) and again.seeds == sim.seeds
    assert again.compensated == sim.compensated
    for one in (sim, again):
        one.fit(DATA, epochs=2, batch=5)
    assert arrays(again) == arrays(sim) and again.presentation == 15


def test_weights_are_not_drawn_to_be_overwritten(path, monkeypatch):
    from apical.engines.simulation import initial_values as module

    def refuse(*_):
        raise AssertionError("drawn")

    monkeypatch.setattr(module, "draw_arrays", refuse)
    apical.Simulator.resume(path)


def rewritten(path, change, sealed: bool = True) -> None:
    """The file once more, with other arrays, facts or metadata; arrays that are new are listed."""
    found = checkpoint.read(path)
    made, facts = dict(found.arrays), json.loads(json.dumps(found.facts))
    change(made, facts)
    if facts.get("arrays") == found.facts["arrays"]:
        facts["arrays"] = sorted({*found.arrays, *made})
    if sealed:
        checkpoint.save(path, made, facts)
        return
    with safe_open(str(path), "numpy") as file:
        metadata = file.metadata()
    save_file(
        {n: np.ascontiguousarray(a) for n, a in made.items()},
        path,
        {**metadata, "facts": json.dumps(facts)},
    )


def test_checkpoints_of_the_first_format_are_read(path):
    """They had no digest, did not say what is compensated or unfinished, and counted no samples."""
    sim = apical.Simulator.resume(path)
    found = checkpoint.read(path)
    new = ("compensated", "unfinished", "arrays", "draws")
    facts = {n: v for n, v in found.facts.items() if n not in new}
    metadata = {"format": "apical-checkpoint-1", "facts": json.dumps(facts)}
    save_file(dict(found.arrays) | {"#t": np.full((2, 1, 1), 2.5)}, path, metadata)
    again = apical.Simulator.resume(path)
    going = again.counters.going
    assert going is not None and going.slots == found.arrays["y.u"].shape[1]
    assert (going.clock.now == 2.5).all()
    for one in (sim, again):
        one.fit(DATA)
    assert arrays(again) == arrays(sim)


# --- what is refused -----------------------------------------------------------------------------


def _set(*place, to):
    def change(arrays, facts):
        inner = facts
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = to

    return change


def _array(name, function):
    def change(arrays, facts):
        arrays[name] = np.ascontiguousarray(function(arrays[name]))

    return change


def _renamed(old, new):
    def change(arrays, facts):
        arrays[new] = arrays.pop(old)

    return change


def _nan(array):
    array = array.copy()
    array.flat[-1] = np.nan
    return array


UNFINISHED = {
    "protocol": "train",
    "samples": 23,
    "batch": 5,
    "shuffle": True,
    "carry": False,
    "done": 5,
    "streams": None,
}
WRONG = {
    "one weight": _array("W", lambda a: a[:1, :1, :1]),
    "a smaller weight": _array("W", lambda a: a[:, :1, :1]),
    "transposed": _array("W", lambda a: a.swapaxes(1, 2)),
    "an axis more": _array("W", lambda a: a[..., None]),
    "another dtype": _array("W", lambda a: a.astype("f4")),
    "integers": _array("W", lambda a: a.astype("i8")),
    "not finite": _array("W", _nan),
    "an autapse": _array("V", lambda a: a + 1),
    "no weight": lambda a, f: a.pop("W"),
    "no slow variable": lambda a, f: a.pop("y.theta"),
    "no state": lambda a, f: a.pop("y.u"),
    "a state of others": _array("y.u", lambda a: np.ones((2, 1, 3))),
    "another name": _renamed("W", "X"),
    "an unknown name": lambda a, f: a.update(theta=a["y.theta"]),
    "a parameter": lambda a, f: a.update({"$eta": a["y.theta"]}),
    "negative counters": _set("counters", to=[-1, 2, 3]),
    "no time": lambda a, f: a.pop("#t"),
    "a shorter list of arrays": _set("arrays", to=["W"]),
    "an unknown count": _set("draws", "samples", "dream", to=3),
    "no list of arrays": _set("arrays", to=[1]),
    "too much": _set("counters", to=[1, 10**30, 3]),
    "a fraction": _set("counters", to=[1, 2.5, 3]),
    "two counters": _set("counters", to=[1, 2]),
    "no counters": lambda a, f: f.pop("counters"),
    "an unknown fact": _set("speed", to=3),
    "an unknown parameter": _set("given", 0, "etta", to=1.0),
    "a structural one": _set("given", 0, "sizes", to=[4, 9]),
    "a text": _set("given", 1, "eta", to="fast"),
    "a bool": _set("given", 1, "eta", to=True),
    "a shorter list": _set("given", 0, "gain", to=[1, 2]),
    "fewer replicas given": _set("given", to=[{}]),
    "no list": _set("given", to={}),
    "replicas": _set("replicas", to=3),
    "many replicas": _set("replicas", to=10**12),
    "no replicas": _set("replicas", to=0),
    "seed": _set("seed", to=-1),
    "seeds": _set("seed", to=[1, 2, 3]),
    "engine": _set("engine", to="abacus"),
    "dtype": _set("dtype", to="int8"),
    "narrow dtype": _set("dtype", to="float32"),
    "compensate": _set("compensate", to=1),
    "compensated": _set("compensated", to=["W"]),
    "sizes": _set("circuit", "overrides", to={"sizes": [5, 3]}),
    "text": _set("circuit", "texts", "<text>", to="apical: 1"),
    "no text": _set("circuit", "texts", to={}),
    "no path": _set("circuit", "path", to=3),
    "no circuit": _set("circuit", to=None),
    "unfinished": _set("unfinished", to={"done": 3}),
    "no such protocol": _set("unfinished", to=UNFINISHED | {"protocol": "dream"}),
    "half a batch": _set("unfinished", to=UNFINISHED | {"done": 7}),
    "more than all": _set("unfinished", to=UNFINISHED | {"done": 25}),
    "no shuffle": _set("unfinished", to=UNFINISHED | {"shuffle": 1}),
}


@pytest.mark.parametrize("kind", WRONG)
def test_each_wrong_entry_is_named(path, kind, refused):
    rewritten(path, WRONG[kind])
    with refused(apical.CheckpointError) as caught:
        apical.Simulator.resume(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_optimizer_states_belong_together(path, refused):
    rewritten(path, lambda arrays, facts: arrays.pop(next(n for n in arrays if "adam" in n)))
    with refused(apical.CheckpointError):
        apical.Simulator.resume(path)

    def unlist(arrays, facts):
        facts["arrays"] = sorted(arrays)

    rewritten(path, unlist)
    with refused(apical.CheckpointError):
        apical.Simulator.resume(path)


def test_what_a_circuit_always_has_is_needed(path, refused):
    def change(arrays, facts):
        del arrays["W"]
        facts["arrays"] = sorted(arrays)

    rewritten(path, change)
    with refused(apical.CheckpointError):
        apical.Simulator.resume(path)


def test_a_number_that_was_changed_is_found(path, refused):
    """0.1 for another finite number: names, shapes and dtypes are right, the digest is not."""
    rewritten(path, _array("W", lambda a: a + 0.1), sealed=False)
    with refused(apical.CheckpointError):
        apical.Simulator.resume(path)
    rewritten(path, _set("counters", to=[1, 2, 3]), sealed=False)
    with refused(apical.CheckpointError):
        apical.Simulator.resume(path)


@pytest.mark.parametrize(
    "facts", ["{", "[" * 100_000, "[]", '{"seed": NaN}', None], ids=lambda text: str(text)[:9]
)
def test_a_broken_header_is_told(path, facts):
    metadata = {"format": "apical-checkpoint-2"} | ({} if facts is None else {"facts": facts})
    save_file({"W": np.zeros(3)}, path, metadata)
    with pytest.raises(apical.CheckpointError) as caught:
        apical.Simulator.resume(path)
    assert str(caught.value).startswith(f"{path}: facts: ")


def test_other_files_are_told(tmp_path, path, refused):
    with pytest.raises(FileNotFoundError):
        apical.Simulator.resume(tmp_path / "nothing")
    with refused(apical.CheckpointError):
        apical.Simulator.resume(tmp_path)
    path.write_bytes(path.read_bytes()[:-9])
    with refused(apical.CheckpointError, quoted=True):
        apical.Simulator.resume(path)


# --- epochs that are left in the middle ----------------------------------------------------------


class Stopper:
    """Ctrl-C in the call number `at` of an engine's `run`, after what it did."""

    def __init__(self, monkeypatch, at: int, kind=None):
        self.left = at
        for made in (kind,) if kind else (NumpyExecutable, NumbaExecutable):
            self._patch(monkeypatch, made)

    def _patch(self, monkeypatch, kind):
        run = kind.run

        def stopping(executable, memory, work, start, stop):
            found = run(executable, memory, work, start, stop)
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
            return found

        monkeypatch.setattr(kind, "run", stopping)


def _kind(engine):
    if engine != "torch":
        return None
    pytest.importorskip("torch")
    from apical.engines.torch.engine import TorchExecutable

    return TorchExecutable


@pytest.fixture
def small_chunks(monkeypatch):
    """One presentation or two in a chunk, as where a presentation takes long."""
    monkeypatch.setattr("apical.engines.simulation.chunks.CHUNK_SECONDS", 1e-12)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("at", [1, 2, 5, 6, 9])
@pytest.mark.parametrize("saved", [False, True])
def test_no_sample_is_learnt_twice(engine, at, saved, tmp_path, monkeypatch, small_chunks):
    whole = simulator(engine)
    whole.fit(DATA, epochs=3, batch=5)
    sim = simulator(engine)
    with monkeypatch.context() as patch:
        Stopper(patch, at, _kind(engine))
        history = sim.fit(DATA, epochs=3, batch=5)
    assert history.interrupted and sim.presentation == at - 1
    done = sim.presentation % 5 * 5
    assert (sim.unfinished.done if sim.unfinished else 0) == min(done, 23)
    if saved:
        sim.save(tmp_path / "a.safetensors")
        sim = apical.Simulator.resume(tmp_path / "a.safetensors")
    history = sim.fit(DATA, epochs=3 - sim.epoch, batch=5)
    assert history.resumed == done and not history.interrupted
    assert arrays(sim) == arrays(whole) and sim.unfinished is None
    assert (sim.presentation, sim.sample, sim.epoch) == (15, 69, 3)


NOISY = CIRCUIT.replace("v - u + theta * gain", "v - u + theta * gain + 0.1 * xi + 0.01 * t")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("at", [2, 5, 7])
def test_noise_time_and_slots_go_on(engine, at, tmp_path, monkeypatch, small_chunks, refused):
    """With `carry`, a resumed epoch goes on in time, in its states, and in what it draws."""
    if engine == "torch":
        pytest.importorskip("torch")
    data = {"image": DATA["image"][:20]}
    settings = {"batch": 5, "carry": True}
    whole, sim = (
        apical.Simulator(apical.load_text(NOISY), engine=engine, replicas=2) for _ in range(2)
    )
    whole.fit(data, epochs=3, **settings)
    with monkeypatch.context() as patch:
        Stopper(patch, at, _kind(engine))
        assert sim.fit(data, epochs=3, **settings).interrupted
    sim.save(tmp_path / "a.safetensors")
    again = apical.Simulator.resume(tmp_path / "a.safetensors")
    for one in (sim, again):
        one.fit(data, epochs=3 - one.epoch, **settings)
        assert arrays(one) == arrays(whole) and one.counters.facts() == whole.counters.facts()
    if (at - 1) % 4:
        again = apical.Simulator.resume(tmp_path / "a.safetensors")
        with refused(ValueError):
            again.fit(data, batch=5)


@pytest.mark.parametrize(
    "other",
    [
        {"batch": 4},
        {"shuffle": False},
        {"image": DATA["image"][:20]},
        {"image": DATA["image"][::-1]},
    ],
    ids=["batch", "shuffle", "samples", "numbers"],
)
def test_an_epoch_goes_on_as_it_began(other, tmp_path, monkeypatch, small_chunks, refused):
    sim = simulator()
    with monkeypatch.context() as patch:
        Stopper(patch, 3)
        sim.fit(DATA, batch=5)
    sim.save(tmp_path / "a.safetensors")
    sim = apical.Simulator.resume(tmp_path / "a.safetensors")
    before = arrays(sim)
    settings = {"batch": 5} | {n: v for n, v in other.items() if n != "image"}
    data = {"image": other.get("image", DATA["image"])}
    with refused(ValueError):
        sim.fit(data, **settings)
    assert arrays(sim) == before
    sim.start_epoch_anew()
    assert sim.fit(data, **settings).resumed == 0 and sim.epoch == 1


def test_a_checkpoint_is_written_inside_an_epoch(tmp_path, small_chunks, monkeypatch):
    """Every third presentation, and after the epoch: those of 5 presentations an epoch."""
    seen = []
    save = apical.Simulator.save

    def noted(sim, path):
        seen.append((sim.presentation, sim.unfinished.done if sim.unfinished else None))
        save(sim, path)

    monkeypatch.setattr(apical.Simulator, "save", noted)
    sim = simulator()
    sim.fit(DATA, epochs=2, batch=5, checkpoint=tmp_path / "a.safetensors", every=3)
    assert seen == [(3, 15), (5, None), (6, 5), (9, 20), (10, None)]
    again = apical.Simulator.resume(tmp_path / "a.safetensors")
    assert arrays(again) == arrays(sim) and again.epoch == 2


def test_ctrl_c_writes_the_checkpoint(tmp_path, monkeypatch, small_chunks):
    sim = simulator()
    Stopper(monkeypatch, 4)
    place = tmp_path / "a.safetensors"
    assert sim.fit(DATA, batch=5, checkpoint=place).interrupted
    again = apical.Simulator.resume(place)
    assert arrays(again) == arrays(sim) and again.unfinished == sim.unfinished
    assert again.unfinished.done == 15


def test_every_needs_a_file(refused):
    with refused(ValueError):
        simulator().fit(DATA, every=3)
    with refused(ValueError):
        simulator().fit(DATA, checkpoint="a", every=0)


def test_ctrl_c_in_a_validation_keeps_the_epoch(monkeypatch, refused):
    sim = simulator()
    training = "apical.engines.simulation.training.training"
    monkeypatch.setattr(f"{training}.check_validation", lambda core, samples: None)

    def stopped(samples):
        raise KeyboardInterrupt

    monkeypatch.setattr(sim, "evaluate", stopped)
    history = sim.fit(DATA, epochs=3, validate=DATA)
    assert history.interrupted and len(history) == sim.epoch == 1 and sim.unfinished is None
    with refused(KeyError):
        history["accuracy"]


# --- Ctrl-C in a run -----------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("learn", [False, True])
def test_a_run_that_is_stopped_says_so(engine, learn, monkeypatch, small_chunks, tmp_path, refused):
    whole = simulator(engine)
    full = whole.run("train", learn=learn, batch=5, record=["y.u"], **DATA)
    assert not full.interrupted
    sim, plain = simulator(engine), simulator(engine)
    with monkeypatch.context() as patch:
        Stopper(patch, 3, _kind(engine))
        with refused(KeyboardInterrupt) as caught:
            sim.run("train", learn=learn, batch=5, record=["y.u"], **DATA)
    assert isinstance(caught.value, apical.Interrupted)
    traces = caught.value.traces
    assert traces.interrupted
    assert traces.manifest["interrupted"] == {"presentations": 2, "of": 5}
    kept = traces.arrays["y.u"]
    assert 10 <= kept.shape[1] <= 15 and np.isfinite(kept[:, :10]).all()
    np.testing.assert_array_equal(kept, full.arrays["y.u"][:, : kept.shape[1]])
    plain.run("train", learn=learn, batch=5, image=DATA["image"][:10])
    for name in plain.weights:  # of two presentations, not of the third that was under way
        np.testing.assert_array_equal(sim.weights[name], plain.weights[name])
    traces.save(tmp_path / "a.nc")
    assert apical.Traces.open(tmp_path / "a.nc").interrupted


def test_a_long_presentation_that_is_stopped_keeps_its_rows(monkeypatch, refused):
    """Ctrl-C at step 4 of 5: the rows so far are there, the others NaN, and weights as before."""
    from apical.engines.numpy import engine as numpy_engine

    store = numpy_engine.Walk._store
    count = [0]

    def stopping(self, slot, source, row):
        count[0] += 1
        if count[0] == 5:
            raise KeyboardInterrupt
        store(self, slot, source, row)

    monkeypatch.setattr(numpy_engine.Walk, "_store", stopping)
    sim = simulator()
    before = arrays(sim)
    with refused(apical.Interrupted) as caught:
        sim.run("train", learn=True, record=["y.u"], **DATA)
    rows = caught.value.traces.arrays["y.u"]
    assert np.isfinite(rows[:, :, :4]).all() and np.isnan(rows[:, :, 4:]).all()
    assert {n: arrays(sim)[n] for n in before} == before
