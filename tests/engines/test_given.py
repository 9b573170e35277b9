"""What cannot be given to a simulator is refused with its name, before anything is learnt."""

from __future__ import annotations

import numpy as np
import pytest

import apical

CIRCUIT = """
apical: 1
name: given
title: What may be given
parameters:
  eta: 0.1
data:
  image: 4
  label: 3
cells:
  sensory:
    soma: r = image
  neuron:
    basal: v = input
    soma:
      - du/dt = v - u
      - e = label - u
populations:
  x:
    cell: sensory
    size: 4
  y:
    cell: neuron
    size: 3
synapses:
  W:
    from: x.r
    to: y.basal
    init: 0.1
    rule: w += eta * post.e * pre
predicts:
  label: y.u
protocols:
  train:
    settle:
      steps: 3
      dt: 0.1
      learn: W
  predict: settle
"""
ENGINES = ["numpy", "numba", "torch"]
IMAGE = np.linspace(0, 1, 20).reshape(5, 4)
DATA = {"image": IMAGE, "label": np.eye(3)[[0, 1, 2, 0, 1]]}


def simulator(engine: str = "numpy", **settings):
    if engine == "torch":
        pytest.importorskip("torch")
    return apical.Simulator(apical.load_text(CIRCUIT), engine=engine, **settings)


@pytest.mark.parametrize("seed", [np.int64(3), np.uint8(3), np.array(3)])
def test_a_seed_of_numpy_is_a_seed(seed, tmp_path):
    sim = simulator(seed=seed)
    assert sim.seeds == (3,)
    sim.save(tmp_path / "a.safetensors")
    assert apical.Simulator.resume(tmp_path / "a.safetensors").seeds == (3,)


def test_seeds_of_replicas_are_any_row_of_numbers():
    for seeds in ([3, 8], (3, 8), np.array([3, 8]), iter([3, np.int32(8)])):
        assert simulator(seed=seeds, replicas=2).seeds == (3, 8)


@pytest.mark.parametrize(
    "seed", [True, 1.0, -1, 2**63, "12", None, {1, 2}, [1, True], [1, -2]], ids=str
)
def test_other_seeds_are_refused(seed, refused):
    with refused(ValueError):
        simulator(seed=seed, replicas=2)


@pytest.mark.parametrize(
    "settings",
    [
        {"replicas": "2"},
        {"replicas": 2.0},
        {"replicas": True},
        {"replicas": 0},
        {"seed": [1], "replicas": 2},
        {"seed": np.ones((1, 2), int), "replicas": 2},
        {"dtype": "int32"},
        {"dtype": "single precision"},
        {"parameters": {"eta": "fast"}},
        {"parameters": {"eta": np.inf}},
    ],
    ids=str,
)
def test_settings_are_refused(settings, refused):
    with refused(ValueError):
        simulator(**settings)


def test_a_name_is_no_circuit(refused):
    with refused(ValueError):
        apical.Simulator("pc")  # type: ignore[arg-type]


@pytest.mark.parametrize("batch", [0, -1, 2.0, "2", True])
@pytest.mark.parametrize("call", ["fit", "run", "predict", "evaluate"])
def test_batches_are_whole_numbers(call, batch, refused):
    sim = simulator()
    method = getattr(sim, call)
    with refused(ValueError):
        method("train", batch=batch, **DATA) if call == "run" else method(DATA, batch=batch)


@pytest.mark.parametrize("epochs", [-1, 1.5, None, True])
def test_epochs_are_whole_numbers(epochs, refused):
    with refused(ValueError):
        simulator().fit(DATA, epochs=epochs)


def test_no_epochs_learn_nothing():
    sim = simulator()
    assert len(sim.fit(DATA, epochs=0)) == 0 and sim.presentation == 0


STREAMS = {
    "no samples": np.zeros((0, 4)),
    "complex": IMAGE + 0j,
    "masked": np.ma.masked_less(IMAGE, 0.1),
    "dates": IMAGE.astype("M8[s]"),
    "durations": IMAGE.astype("m8[s]"),
    "objects": IMAGE.astype(object),
    "text": IMAGE.astype(str),
    "ragged": [[1, 2, 3, 4], [1]],
    "nothing": None,
    "nan": np.where(IMAGE > 0.5, np.nan, IMAGE),
    "infinite": np.where(IMAGE > 0.5, np.inf, IMAGE),
    "pictures": IMAGE.reshape(5, 2, 2),
    "classes": np.arange(5),
    "replicas": np.zeros((3, 5, 4)),
    "sizes": np.zeros((5, 3)),
    "lengths": IMAGE[:3],
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", STREAMS)
def test_a_stream_is_refused_by_name(kind, engine, snapshot):
    given, sim, said = STREAMS[kind], simulator(engine), []
    before = sim.weights["W"].copy()
    for call in (
        lambda: sim.fit(DATA | {"image": given}),
        lambda: sim.run("train", **(DATA | {"image": given})),
        lambda: sim.predict(DATA | {"image": given}),
        lambda: sim.fit(DATA, validate=DATA | {"image": given}),
    ):
        with pytest.raises(ValueError) as caught:
            call()
        said.append(str(caught.value).partition(" (setting an")[0])  # the rest is numpy's
    (one,) = set(said)
    assert "image" in one and (engine != "numpy" or one == snapshot)
    np.testing.assert_array_equal(sim.weights["W"], before)


def test_what_float32_cannot_hold_is_told(refused):
    with refused(ValueError):
        simulator(dtype="float32").fit(DATA | {"image": IMAGE + 1e300})


@pytest.mark.parametrize("kind", ["complex", "nan"])
def test_tensors_are_looked_at_too(kind):
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError) as caught:
        simulator("torch").fit(DATA | {"image": torch.from_numpy(STREAMS[kind])})
    assert "image" in str(caught.value)


@pytest.mark.parametrize(
    "given", [np.ma.array(IMAGE), IMAGE.tolist(), IMAGE.astype("f4"), IMAGE.astype("g")]
)
def test_arrays_of_real_numbers_work(given):
    one, other = simulator(), simulator()
    one.fit(DATA)
    other.fit(DATA | {"image": given})
    np.testing.assert_allclose(one.weights["W"], other.weights["W"], rtol=1e-6)


def test_a_target_that_nothing_reads_may_be_unknown():
    """Unlabelled samples can be predicted."""
    unlabelled = DATA | {"label": np.full((5, 3), np.nan)}
    np.testing.assert_array_equal(
        simulator().predict(unlabelled)["label"], simulator().predict(DATA)["label"]
    )


def test_masked_samples_of_a_task_stay_masked(refused):
    from apical.models.tasks.task import Samples

    with refused(ValueError):
        simulator().fit(Samples(DATA | {"image": STREAMS["masked"]}))


MISTAKES = {
    "samples": lambda s: s.fit(IMAGE),
    "stream": lambda s: s.fit(DATA | {"labl": 1}),
    "validate": lambda s: s.fit(DATA, validate=IMAGE),
    "validate without labels": lambda s: s.fit(DATA, validate={"image": IMAGE}),
    "evaluate without labels": lambda s: s.evaluate({"image": IMAGE}),
    "no samples": lambda s: s.run("train", samples=0, **DATA),
    "other samples": lambda s: s.run("train", samples=3, **DATA),
    "initial": lambda s: s.run("train", initial=[1], **DATA),
    "initial text": lambda s: s.run("train", initial={"y.u": "a"}, **DATA),
    "budget": lambda s: s.run("train", budget="1G", **DATA),
    "record": lambda s: s.run("train", record=3, **DATA),
    "record bytes": lambda s: s.run("train", record=[b"y.u"], **DATA),
    "protocol": lambda s: s.run(["train"], **DATA),
    "on_epoch": lambda s: s.fit(DATA, on_epoch=3),
    "checkpoint": lambda s: s.fit(DATA, checkpoint=3),
    "checkpoint folder": lambda s: s.fit(DATA, checkpoint="/"),
    "checkpoint in no folder": lambda s: s.fit(DATA, checkpoint="no/a"),
    "parameters": lambda s: simulator(parameters=[1]),
    "complex weight": lambda s: s.weights.update(W=np.full((3, 4), 1j)),
    "parameter": lambda s: s.parameters.update(eta=None),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_other_mistakes_are_told(mistake, refused):
    sim = simulator()
    with refused(ValueError):
        MISTAKES[mistake](sim)
    assert sim.presentation == 0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("lead", [(), (1,), (2,), (7,)])
def test_initial_states_are_for_all_replicas_or_each(engine, lead, refused):
    sim = simulator(engine, replicas=2)
    initial = {"y.u": np.ones((*lead, 5, 3))}
    if lead == (7,):
        with refused(ValueError):
            sim.run("train", initial=initial, **DATA)
        return
    traces = sim.run("train", initial=initial, record=["y.u"], **DATA)
    assert (traces.arrays["y.u"][:, :, 0] == 1).all()
