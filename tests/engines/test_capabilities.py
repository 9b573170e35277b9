"""Each cell of the table that `apical doctor` prints: run and compared with numpy, or refused."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import apical
from apical.compartments.connectivity import CONNECTIVITY
from apical.compartments.functions import FUNCTIONS
from apical.compartments.integrators import TABLEAUX
from apical.compartments.optimizers import OPTIMIZERS
from apical.engines.capabilities import CAPABILITIES, table
from apical.engines.doctor import examine, report
from apical.engines.registry import ENGINES
from apical.engines.shared_batches import TEAM, Team

RUN = ["numpy", "torch", pytest.param("numba", marks=pytest.mark.slow)]
ENDS = {(4, 4): "y.r y.apical", (1, 4): "y.r one.soma", (4, 1): "one.total y.apical"}
WEIGHED = [name for name, kind in CONNECTIVITY.items() if kind.windows != "pool"]
HEAD = """\
apical: 1
name: everything
parameters:
  eta: 0.1
  q: 0
data:
  image: 3
  label: 4
cells:
  sensory:
    soma: r = image
  neuron:
    basal: v = input
    apical: a = input
    soma:
      - du/dt = v + 0.1 * a - u
      - r = tanh(u)
      - e = label - r
  noisy:
    soma: dz/dt = -z + 0.5 * xi + q
  single:
    soma: total = input
populations:
  x:
    cell: sensory
    size: 3
  y:
    cell: neuron
    shape: [2, 2]
  n:
    cell: noisy
    size: 2
  one:
    cell: single
    size: 1
synapses:
"""
PLASTIC = """\
  each_step:
    from: x.r
    to: y.basal
    rule: w += 0.01 * post.e * pre
  filtered:
    from: y.r
    to: y.apical
    init: xavier_uniform
    filter: [1, 2]
  continuous:
    from: x.r
    to: y.basal
    trace: 5 * dm/dt = -m + post.e * pre
    rule: dw/dt = eta * m
  faint:
    from: x.r
    to: y.basal
    init: uniform(0.5, 1)
    rule: dw/dt = 1e-5 * post.e * pre
"""
SYNAPSE = "  {0}:\n    from: {1}\n    to: {2}\n    rule: w += eta * post.{3} * pre\n"
PHASE = """\
    moving:
      steps: 5
      dt: 0.1
      learn_each_step: each_step
"""
STEPPED = """\
apical: 1
name: stepped
data:
  image: 3
cells:
  sensory:
    soma: r = image
  neuron:
    basal: v = input
    soma: du/dt = tanh(v) - u
populations:
  x:
    cell: sensory
    size: 3
  y:
    cell: neuron
    size: 4
synapses:
  W:
    from: x.r
    to: y.basal
    init: xavier_uniform
  recurrent:
    from: y.u
    to: y.basal
    init: xavier_uniform
protocols:
  train:
"""
LAST = """\
    stopping:
      set: q = uniform(-1, 1)
      steps: 60
      dt: 0.2
      until: change(y.u) < 0.01 * norm(y.u)
      plasticity: off
      learn: {0}
"""


WORDS = """\
apical: 1
name: functions
data:
  image: 9
cells:
  sensory:
    soma:
      - r = image
"""
WORDS_RUN = """
populations:
  x:
    cell: sensory
    size: 9
protocols:
  train:
    moment:
      steps: 1
      dt: 1
"""


def synapses():
    for name, rule in OPTIMIZERS.items():
        made = SYNAPSE.format(name, "x.r", "y.basal", "e")
        given = (
            rule.ranges[p].example for p, default in rule.parameters.items() if default is None
        )
        yield made + f"    optimizer: {name}({', '.join(map(str, given))})\n"
    for name, kind in CONNECTIVITY.items():
        source, target = next(e for sizes, e in ENDS.items() if not kind.refuse(*sizes)).split()
        seen = "total" if target == "one.soma" else "e"
        made = SYNAPSE.format(name, source, target, seen)
        if name not in WEIGHED:
            made = made[: made.index("    rule")]
        yield made + f"    connect: {kind.written(kind.example)}\n"


@cache
def circuit(folder):
    """Everything but the methods."""
    learnt = ", ".join([*OPTIMIZERS, *WEIGHED])
    text = HEAD + "".join(synapses()) + PLASTIC + "protocols:\n  train:\n"
    path = folder / "everything.yaml"
    path.write_text(text + PHASE + LAST.format(learnt))
    return apical.load(path)


RECORD = ("y.u every 2", "n.z", "one.total in moving", "y.e in stopping mean")


@cache
def run(folder, engine, dtype="float64", batch=5):
    """Two replicas, ten samples: traces, weights and stops by name."""
    if engine == "torch":
        pytest.importorskip("torch")
    options = {"parameters": {"eta": [0.1, 0.2]}, "replicas": 2, "seed": 3}
    sim = apical.Simulator(circuit(folder), engine=engine, dtype=dtype, **options)
    rng = np.random.default_rng(0)
    data = {"image": rng.uniform(-1, 1, (10, 3)), "label": rng.uniform(-1, 1, (10, 4))}
    traces = sim.run("train", learn=batch < 10, record=list(RECORD), batch=batch, **data)
    return {"sim": sim, "traces": traces} | dict(sim.weights)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("abilities")


# --- proofs: ability -> what has to be as numpy has it -------------------------------------------


def weights(*names):
    return lambda found: {name: found[name] for name in names}


def traces(*names):
    return lambda found: {name: found["traces"].dataset[name].values for name in names}


COMPARED = {
    "float64": weights("dense"),
    "replicas with their own seeds and parameters": weights("sgd"),
    "samples side by side": traces("y.u"),
    f"optimizers: {', '.join(OPTIMIZERS)}": weights(*OPTIMIZERS),
    f"connections: {', '.join(CONNECTIVITY)}": weights(*WEIGHED),
    "filters, traces, plasticity in continuous time": weights("continuous", "faint"),
    "rules at the end of a phase and at each step": weights("each_step"),
    "noise and draws, the same on every engine": traces("n.z"),
    "records at chosen steps and in chosen phases": traces("y.u", "one.total", "mean(y.e)"),
}


@pytest.mark.parametrize("engine", RUN)
@pytest.mark.parametrize("ability", COMPARED)
def test_yes_means_as_numpy(folder, ability, engine):
    found = COMPARED[ability](run(folder, engine))
    expected = COMPARED[ability](run(folder, "numpy"))
    start = COMPARED[ability](run(folder, "numpy", batch=10))  # without learning
    for name, theirs in expected.items():
        assert_allclose(found[name], theirs, rtol=1e-10, atol=1e-10, err_msg=name)
        assert np.ptp(theirs[np.isfinite(theirs)]) > 0 and np.any(found[name] != start[name]), name


def test_yes_means_every_method(tmp_path):
    """numba: the orders of convergence of tests/engines/test_orders.py."""
    pytest.importorskip("torch")
    phases = (f"    {m}:\n      steps: 5\n      dt: 0.1\n      method: {m}\n" for m in TABLEAUX)
    path = tmp_path / "stepped.yaml"
    path.write_text(STEPPED + "".join(phases))
    image = np.random.default_rng(0).uniform(size=(3, 3))
    found = [
        apical.Simulator(apical.load(path), engine=e).run(record=["y.u"], image=image)["y.u"].values
        for e in ("numpy", "torch")
    ]
    assert_allclose(found[1], found[0], rtol=1e-10, atol=1e-10)
    ends = found[0][0, :, 5::6]  # of each phase
    assert np.all(np.diff(ends, axis=1) != 0)


@pytest.mark.parametrize("engine", RUN)
def test_yes_means_every_function(tmp_path, engine):
    """Against numpy's own, at 0, at halves, and far from 0; log and sqrt above 0."""
    if engine == "torch":
        pytest.importorskip("torch")
    names = [name for name, f in FUNCTIONS.items() if f.kind in ("elementwise", "vector")]
    others = {1: "", 2: ", 0.3", 3: ", -1, 0.5"}
    more = {name: others[FUNCTIONS[name].arity[1]] for name in names}
    lines = [f"      - z_{name} = {name}(r{more[name]})" for name in names]
    positive = ("log", "sqrt")
    lines = [
        s.replace("(r)", "(|r| + 0.1)") if n in positive else s
        for n, s in zip(names, lines, strict=True)
    ]
    path = tmp_path / "functions.yaml"
    path.write_text(WORDS + "\n".join(lines) + WORDS_RUN)
    x = np.array([[-30, -2.5, -1.5, -0.5, 0, 0.5, 1.5, 2.25, 20]])
    sim = apical.Simulator(apical.load(path), engine=engine)
    found = sim.run(record=[f"x.z_{name}" for name in names], image=x)
    for name in names:
        given = np.abs(x) + 0.1 if name in positive else x
        numbers = [float(word) for word in more[name].split(",")[1:]]
        expected = FUNCTIONS[name].numpy(given, *numbers)
        assert_allclose(found[f"x.z_{name}"].values[0, :, -1], expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("engine", RUN)
def test_yes_means_stopped_where_numpy_stops(folder, engine):
    stops = run(folder, engine)["sim"].stopped["stopping"]
    assert_array_equal(stops, run(folder, "numpy")["sim"].stopped["stopping"])
    assert stops.shape == (2, 10) and np.ptp(stops) > 0


@pytest.mark.parametrize("engine", RUN)
def test_yes_means_that_replicas_differ(folder, engine):
    sim = run(folder, engine)["sim"]
    assert np.all(sim.weights["sgd"][0] != sim.weights["sgd"][1])


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_yes_means_compensated(folder, engine):
    """numba: tests/graphs/test_compensation.py."""
    wide, found = run(folder, "numpy"), run(folder, engine, "float32")
    assert [one.name for one in found["sim"].compensated] == ["faint"]
    start = wide["faint"] - found["faint"]
    assert found["faint"].dtype == np.float32 and np.max(np.abs(start)) < np.spacing(np.float32(1))


def test_bfloat16(folder, refused):
    found = run(folder, "torch", "bfloat16")
    assert_allclose(found["sgd"], run(folder, "numpy")["sgd"], rtol=0, atol=0.02)
    for engine in ("numpy", "numba"):
        with refused(ValueError):
            apical.Simulator(circuit(folder), engine=engine, dtype="bfloat16")


def test_a_gpu(folder, refused):
    for engine in ("numpy", "numba"):
        with refused(ValueError):
            apical.Simulator(circuit(folder), engine=engine, device="cuda")
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        apical.Simulator(circuit(folder), engine="torch", device="cuda").run("train", samples=1)
    else:
        with pytest.raises(ValueError, match="'cuda'"):
            apical.Simulator(circuit(folder), engine="torch", device="cuda")


def test_several_processes(folder, refused):
    """torch: tests/engines/test_torch.py, two processes equal one with the joint batch."""
    pytest.importorskip("torch")
    token = TEAM.set(Team(size=2))
    try:
        for engine in ("numpy", "numba"):
            with refused(ValueError):
                apical.Simulator(circuit(folder), engine=engine)
        apical.Simulator(circuit(folder), engine="torch")
    finally:
        TEAM.reset(token)


ELSEWHERE = {
    "every function of the language",
    f"methods: {', '.join(TABLEAUX)}",
    "float32, small sums compensated",
    "activity in bfloat16",
    "a GPU",
    "stop rules, sample by sample",
    "several processes that share a batch",
    "signals: held rows, linear between rows, a row each step",
    "weights of some connections as compressed rows",
    "delays",  # tests/engines/test_delays.py
    "events: conditions, resets, refractory times",  # tests/engines/test_events.py
}


def test_every_row_is_proved_and_printed():
    assert {a.name for a in CAPABILITIES} == {*COMPARED, *ELSEWHERE}
    refused = {a.name for a in CAPABILITIES if len(a.engines) < len(ENGINES)}
    assert refused == {
        "activity in bfloat16",
        "a GPU",
        "several processes that share a batch",
        "weights of some connections as compressed rows",
    }
    printed = report(examine())
    for name, cells in table().items():
        (line,) = (line for line in printed.splitlines() if line.strip().startswith(name + " "))
        assert line.split(name)[1].split() == ["yes" if can else "-" for can in cells.values()]
