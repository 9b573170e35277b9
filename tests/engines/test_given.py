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
LARGEST = "seed: expected whole numbers from 0 to 9223372036854775807"


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


@pytest.mark.parametrize("seed", [True, 1.0, -1, 2**63, "12", None, {1, 2}, [1, True], [1, -2]])
def test_other_seeds_are_refused(seed):
    with pytest.raises(ValueError, match=LARGEST):
        simulator(seed=seed, replicas=2)


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"replicas": "2"}, "replicas: expected a whole number of at least 1, got '2'"),
        ({"replicas": 2.0}, "got 2.0; did you mean 2?"),
        ({"replicas": True}, "at least 1, got True"),
        ({"replicas": 0}, "at least 1, got 0"),
        ({"seed": [1], "replicas": 2}, "seed: expected a number or 2 of them"),
        ({"seed": np.ones((1, 2), int), "replicas": 2}, "got shape (1, 2)"),
        ({"dtype": "int32"}, "dtype 'int32': expected one of 'float64'"),
        ({"dtype": "single precision"}, "dtype 'single precision': expected one of"),
        ({"parameters": {"eta": "fast"}}, "parameter 'eta': expected numbers, got text"),
        ({"parameters": {"eta": np.inf}}, "parameter 'eta': inf is not finite"),
    ],
)
def test_settings_are_refused(settings, said):
    with pytest.raises(ValueError) as caught:
        simulator(**settings)
    assert said in str(caught.value)


def test_a_name_is_no_circuit():
    with pytest.raises(ValueError, match=r"expected a Circuit, got 'pc'; apical.load"):
        apical.Simulator("pc")  # type: ignore[arg-type]


@pytest.mark.parametrize("batch", [0, -1, 2.0, "2", True])
@pytest.mark.parametrize("call", ["fit", "run", "predict", "evaluate"])
def test_batches_are_whole_numbers(call, batch):
    sim = simulator()
    method = getattr(sim, call)
    with pytest.raises(ValueError, match="batch: expected a whole number of at least 1"):
        method("train", batch=batch, **DATA) if call == "run" else method(DATA, batch=batch)


@pytest.mark.parametrize("epochs", [-1, 1.5, None, True])
def test_epochs_are_whole_numbers(epochs):
    with pytest.raises(ValueError, match="epochs: expected a whole number of at least 0"):
        simulator().fit(DATA, epochs=epochs)


def test_no_epochs_learn_nothing():
    sim = simulator()
    assert len(sim.fit(DATA, epochs=0)) == 0 and sim.presentation == 0


STREAMS = {
    "no samples": (np.zeros((0, 4)), "expected at least 1 sample, got none"),
    "complex": (IMAGE + 0j, "got complex numbers; give `x.real`"),
    "masked": (np.ma.masked_less(IMAGE, 0.1), "2 of 20 entries are masked"),
    "dates": (IMAGE.astype("M8[s]"), "got dates"),
    "durations": (IMAGE.astype("m8[s]"), "got time differences"),
    "objects": (IMAGE.astype(object), "got Python objects"),
    "text": (IMAGE.astype(str), "got text"),
    "ragged": ([[1, 2, 3, 4], [1]], "expected an array of numbers"),
    "nothing": (None, "got Python objects"),
    "nan": (np.where(IMAGE > 0.5, np.nan, IMAGE), "nan at (2, 2) is not finite"),
    "infinite": (np.where(IMAGE > 0.5, np.inf, IMAGE), "inf at (2, 2) is not finite"),
    "pictures": (IMAGE.reshape(5, 2, 2), "`x.reshape(len(x), -1)`"),
    "classes": (np.arange(5), "`np.eye(4)[x]`"),
    "replicas": (np.zeros((3, 5, 4)), "for as many replicas as there are, 1"),
    "sizes": (np.zeros((5, 3)), "with 4 units, got (5, 3); the sizes of a circuit"),
    "lengths": (IMAGE[:3], "differ in their number of samples: {'image': 3, 'label': 5}"),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", STREAMS)
def test_a_stream_is_refused_by_name(kind, engine):
    given, said = STREAMS[kind]
    sim = simulator(engine)
    before = sim.weights["W"].copy()
    for call in (
        lambda: sim.fit(DATA | {"image": given}),
        lambda: sim.run("train", **(DATA | {"image": given})),
        lambda: sim.predict(DATA | {"image": given}),
        lambda: sim.fit(DATA, validate=DATA | {"image": given}),
    ):
        with pytest.raises(ValueError) as caught:
            call()
        assert said in str(caught.value) and "image" in str(caught.value)
    np.testing.assert_array_equal(sim.weights["W"], before)


def test_what_float32_cannot_hold_is_told():
    with pytest.raises(ValueError, match=r"1e\+300 at \(0, 0\) is beyond the range of float32"):
        simulator(dtype="float32").fit(DATA | {"image": IMAGE + 1e300})


@pytest.mark.parametrize("kind", ["complex", "nan"])
def test_tensors_are_looked_at_too(kind):
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError) as caught:
        simulator("torch").fit(DATA | {"image": torch.from_numpy(STREAMS[kind][0])})
    assert STREAMS[kind][1] in str(caught.value)


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


def test_masked_samples_of_a_task_stay_masked():
    from apical.models.tasks.task import Samples

    with pytest.raises(ValueError, match="entries are masked"):
        simulator().fit(Samples(DATA | {"image": STREAMS["masked"][0]}))


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda s: s.fit(IMAGE), "samples: expected arrays by name"),
        (lambda s: s.fit(DATA | {"labl": 1}), "no stream 'labl' in given; there are: image, label"),
        (lambda s: s.fit(DATA, validate=IMAGE), "validate: expected arrays by name"),
        (lambda s: s.fit(DATA, validate={"image": IMAGE}), "nothing to score: given predicts"),
        (lambda s: s.evaluate({"image": IMAGE}), "and the samples hold image"),
        (lambda s: s.run("train", samples=0, **DATA), "samples: expected a whole number"),
        (lambda s: s.run("train", samples=3, **DATA), "samples=3, but the streams hold 5"),
        (lambda s: s.run("train", initial=[1], **DATA), "initial: expected arrays by name"),
        (lambda s: s.run("train", initial={"y.u": "a"}, **DATA), "initial 'y.u': expected numb"),
        (lambda s: s.run("train", budget="1G", **DATA), "budget: expected a whole number"),
        (lambda s: s.run("train", record=3, **DATA), "record: expected lines such as"),
        (lambda s: s.run("train", record=[b"y.u"], **DATA), "record: expected lines such as"),
        (lambda s: s.run(["train"], **DATA), "given has no protocol ['train']"),
        (lambda s: s.fit(DATA, on_epoch=3), "on_epoch: expected a function of"),
        (lambda s: s.fit(DATA, checkpoint=3), "checkpoint: expected the path of a file, got 3"),
        (lambda s: s.fit(DATA, checkpoint="/"), "got the folder '/'"),
        (lambda s: s.fit(DATA, checkpoint="no/a"), "the folder 'no' of 'a' does not exist"),
        (lambda s: simulator(parameters=[1]), "parameters: expected numbers by name, as {'eta'"),
        (lambda s: s.weights.update(W=np.full((3, 4), 1j)), "weight 'W': expected numbers"),
        (lambda s: s.parameters.update(eta=None), "parameter 'eta': expected numbers"),
    ],
)
def test_other_mistakes_are_told(call, said):
    sim = simulator()
    with pytest.raises(ValueError) as caught:
        call(sim)
    assert said in str(caught.value)
    assert sim.presentation == 0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("lead", [(), (1,), (2,), (7,)])
def test_initial_states_are_for_all_replicas_or_each(engine, lead):
    sim = simulator(engine, replicas=2)
    initial = {"y.u": np.ones((*lead, 5, 3))}
    if lead == (7,):
        with pytest.raises(ValueError, match=r"or 2 of these, one for each replica, got \(7, 5, 3"):
            sim.run("train", initial=initial, **DATA)
        return
    traces = sim.run("train", initial=initial, record=["y.u"], **DATA)
    assert (traces.arrays["y.u"][:, :, 0] == 1).all()
