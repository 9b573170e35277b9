"""The torch engine equals numpy on every circuit: captured, batched, replicated, stopped."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import apical
from apical.engines import philox

torch = pytest.importorskip("torch")

from apical.engines.torch import (  # noqa: E402
    engine as torch_engine,
    kernels as torch_kernels,
)
from apical.engines.torch.graph_capture import CaptureError, Rehearsal  # noqa: E402
from apical.engines.torch.philox import Generator, keys  # noqa: E402
from apical.engines.torch.tape import Tape  # noqa: E402

from ..circuits.small import cases, label, parameters, random_streams as streams, small  # noqa: E402

CLOSE = {"rtol": 1e-10, "atol": 1e-10}


def everything(circuit):
    names = list(circuit.energies)
    for population in circuit.populations.values():
        variables = dict.fromkeys([e.variable for e in population.equations])
        variables |= dict.fromkeys(population.states)
        names += [f"{population.name}.{variable}" for variable in variables]
    return names


def arrays(sim):
    return {**dict(sim.weights), **dict(sim.slow)}


def use(monkeypatch, **options):
    """Executables made from now on get these options."""
    made = torch_engine.TorchExecutable.__init__

    def start(self, program, dtype, device=None):
        made(self, program, dtype, device, **options)

    monkeypatch.setattr(torch_engine.TorchExecutable, "__init__", start)


def same(circuit, protocol, batch, samples=3, close=CLOSE, **options):
    names = everything(circuit)
    found = {}
    for engine in ("numpy", "torch"):
        sim = apical.Simulator(circuit, engine=engine, **{"seed": 1, "dtype": "float64"} | options)
        traces = sim.run(
            protocol,
            learn=protocol == "train",
            batch=batch if circuit.streams else None,
            record=names,
            **streams(circuit, samples if circuit.streams else 1),
        )
        found[engine] = traces.dataset, arrays(sim), dict(sim.stopped)
    for name in names:
        mine, theirs = (found[e][0][name].values for e in ("torch", "numpy"))
        assert_allclose(mine, theirs, **close, err_msg=name)
    for name, theirs in found["numpy"][1].items():
        assert_allclose(found["torch"][1][name], theirs, **close, err_msg=name)
    for name, theirs in found["numpy"][2].items():
        assert_array_equal(found["torch"][2][name], theirs, err_msg=name)


@pytest.mark.parametrize(
    ("case", "capture"),
    [
        (c, capture)
        for c in cases()
        for capture in ([None, "rehearse"] if not c[1] else ["rehearse"])
    ],
    ids=lambda value: label(value) if isinstance(value, tuple) else str(value),
)
def test_every_circuit_and_variant_equals_numpy(monkeypatch, case, capture):
    """Call by call, and as captured in blocks of three masked steps."""
    use(monkeypatch, capture=capture, block=3 if capture else None)
    circuit = small(*case)
    protocols = ["train"] if case[1] and "train" in circuit.protocols else circuit.protocols
    for protocol in protocols:
        same(circuit, protocol, batch=None)
    if not case[1]:
        same(circuit, "train" if "train" in circuit.protocols else next(iter(protocols)), batch=1)


@pytest.mark.parametrize("name", ["pc", "corinfomax", "pem", "sacramento", "seqil"])
def test_a_replica_equals_its_solo_run(monkeypatch, name):
    circuit = small(name)
    data = streams(circuit, 4)
    options = {"learn": True, "batch": 2, "record": everything(circuit)}
    many = apical.Simulator(circuit, engine="torch", seed=0, replicas=3)
    together = many.run("train", **options, **data)
    for i in range(3):
        one = apical.Simulator(circuit, engine="torch", seed=i)
        alone = one.run("train", **options, **data)
        for key in everything(circuit):
            mine, theirs = together.dataset[key].values[i], alone.dataset[key].values[0]
            assert_allclose(mine, theirs, **CLOSE, err_msg=key)
        for key, expected in arrays(one).items():
            assert_allclose(arrays(many)[key][i], expected, **CLOSE, err_msg=key)


def test_replicas_take_parameters_of_their_own(monkeypatch):
    circuit = small("pc")
    data = streams(circuit, 4)
    rates = [0.01, 0.02, 0.05]
    many = apical.Simulator(circuit, engine="torch", replicas=3, parameters={"eta": rates})
    many.fit(data, batch=2)
    for i, rate in enumerate(rates):
        one = apical.Simulator(circuit, engine="torch", seed=i, parameters={"eta": rate})
        one.fit(data, batch=2)
        assert_allclose(many.weights["W[1]"][i], one.weights["W[1]"], **CLOSE)


@pytest.mark.parametrize("name", ["pc", "pem"])
@pytest.mark.parametrize("capture", [None, "rehearse"])
def test_a_batch_of_256_equals_256_single_runs(monkeypatch, name, capture):
    use(monkeypatch, capture=capture, block=8 if capture else None)
    circuit = small(name, T=300) if name == "pem" else small(name)
    data = streams(circuit, 256)
    protocol = "train"
    sim = apical.Simulator(circuit, engine="torch", seed=0)
    names = everything(circuit)[:3]
    joint = sim.run(protocol, record=names, **data).dataset
    stops = dict(sim.stopped)
    alone = sim.run(protocol, record=names, batch=1, **data).dataset
    for key in names:
        assert_allclose(joint[key].values, alone[key].values, **CLOSE, err_msg=key)
    for key, steps in stops.items():
        assert len(np.unique(steps)) > 1
        assert_array_equal(sim.stopped[key], steps)


@pytest.mark.parametrize("name", ["pc", "corinfomax", "pem", "sacramento", "hopfield"])
def test_float32_stays_close_to_float64(name):
    circuit = small(name)
    protocol = "train" if "train" in circuit.protocols else next(iter(circuit.protocols))
    data = streams(circuit, 3 if circuit.streams else 1)
    found = {}
    for dtype in ("float64", "float32"):
        sim = apical.Simulator(circuit, engine="torch", seed=1, dtype=dtype)
        sim.run(protocol, learn=True, record=[], **data)
        found[dtype] = arrays(sim)
        assert all(a.dtype == dtype for a in found[dtype].values())
    for key, expected in found["float64"].items():
        assert_allclose(found["float32"][key], expected, rtol=2e-4, atol=2e-5, err_msg=key)


def test_fit_predict_and_settings_equal_numpy():
    """Several epochs with shuffling, a smaller last batch, weights set in between."""
    circuit = small("pc")
    data = streams(circuit, 10)
    sims = [apical.Simulator(circuit, engine=e, seed=3) for e in ("numpy", "torch")]
    for sim in sims:
        sim.fit(data, epochs=2, batch=4)
        sim.weights["W[1]"] = np.full(sim.weights["W[1]"].shape, 0.1)
        sim.parameters["eta"] = 0.03
        sim.fit(data, epochs=1, batch=4)
    for key in sims[0].weights:
        assert_allclose(sims[1].weights[key], sims[0].weights[key], **CLOSE, err_msg=key)
    expected = sims[0].predict(data)
    for key, found in sims[1].predict(data).items():
        assert_allclose(found, expected[key], **CLOSE)


def test_carry_goes_on_where_the_last_run_ended():
    circuit = small("sacramento")
    data = streams(circuit, 2)
    found = []
    for engine in ("numpy", "torch"):
        sim = apical.Simulator(circuit, engine=engine, seed=3)
        sim.run("train", learn=True, record=[], batch=1, **data)
        traces = sim.run(
            "train", learn=True, carry=True, record=everything(circuit), batch=1, **data
        )
        found.append(traces.dataset)
    for key in everything(circuit):
        assert_allclose(found[1][key].values, found[0][key].values, **CLOSE, err_msg=key)


@pytest.mark.parametrize("capture", [None, "rehearse"])
def test_divergence_says_where(monkeypatch, capture):
    use(monkeypatch, capture=capture)
    circuit = small("pc", ["linear"])
    data = streams(circuit, 6)
    data["image"][4] = 1e200
    texts = []
    for engine in ("numpy", "torch"):
        sim = apical.Simulator(circuit, engine=engine, seed=0, parameters={"h": 1e80})
        with pytest.raises(ArithmeticError) as caught:
            sim.fit(data, batch=2, shuffle=False)
        texts.append(str(caught.value))
    assert texts[0] == texts[1]


def test_tensors_are_taken_as_they_are():
    circuit = small("pc")
    data = streams(circuit, 6)
    one = apical.Simulator(circuit, engine="torch", seed=0)
    two = apical.Simulator(circuit, engine="torch", seed=0)
    one.fit(data, batch=2)
    two.fit({key: torch.tensor(array) for key, array in data.items()}, batch=2)
    assert_array_equal(two.weights["W[1]"], one.weights["W[1]"])


def test_a_torch_loop_steps_the_simulator():
    """Batches of a DataLoader, one by one, equal one call of `fit`."""
    circuit = small("pc")
    data = {key: torch.tensor(array) for key, array in streams(circuit, 6).items()}
    one = apical.Simulator(circuit, engine="torch", seed=0)
    one.fit(data, batch=2, shuffle=False)
    two = apical.Simulator(circuit, engine="torch", seed=0)
    rows = torch.utils.data.TensorDataset(data["image"], data["label"])
    for image, target in torch.utils.data.DataLoader(rows, batch_size=2):
        two.run("train", learn=True, record=[], image=image, label=target)
    assert_allclose(two.weights["W[1]"], one.weights["W[1]"], **CLOSE)


def test_philox_bits_and_normals_equal_the_streams_of_numpy():
    seeds, name, shape = (3, 9), "xi", (2, 5, 7)
    units = torch.arange(7).reshape(1, 1, 7)
    step = torch.full((1, 1, 1), 4294967295)
    place = torch.arange(5).reshape(1, 5, 1) + 11
    zero = torch.zeros((1, 1, 1), dtype=torch.int64)
    generator = Generator(shape, (units, step, place, zero), torch.device("cpu"))
    tape, drawn = Tape(), torch.zeros(shape, dtype=torch.float64)
    generator.write(tape, keys(seeds, name, torch.device("cpu")))
    tape()
    counters = np.arange(7)[None], 4294967295, np.arange(5)[:, None] + 11
    for replica, seed in enumerate(seeds):
        bits = philox.random_bits(philox.key_of(seed, name), *counters)
        for mine, theirs in zip(generator.words, bits, strict=True):
            assert_array_equal(mine[replica].numpy().astype(np.uint64), theirs)
    tape = Tape()
    generator.write_standard("normal", tape, keys(seeds, name, torch.device("cpu")), drawn)
    tape()
    for replica, seed in enumerate(seeds):
        expected = philox.normal(seed, name, *counters)
        assert np.max(np.abs(drawn[replica].numpy() - expected) / np.spacing(np.abs(expected))) <= 2


def test_a_rehearsal_refuses_what_a_capture_would(refused):
    x = torch.ones(3)
    with refused(CaptureError):
        Rehearsal().record(Tape([lambda: x.add_(torch.ones(3))]))
    with refused(CaptureError):
        Rehearsal().record(Tape([lambda: x.fill_(float(x[0]))]))


def test_a_rehearsal_freezes_what_the_host_knew():
    x, host = torch.zeros(3), [1.0]
    replay = Rehearsal().record(Tape([lambda: x.add_(host[0])]))
    x.zero_()
    host[0] = 5.0
    replay()
    assert_array_equal(x, [1, 1, 1])


def test_an_absent_device_is_named(refused):
    circuit = small("pc")
    with refused(ValueError):
        apical.Simulator(circuit, engine="torch", device="abacus")
    with refused(ValueError):
        apical.Simulator(circuit, engine="numpy", device="cuda")


@pytest.mark.skipif(not torch_kernels.available(), reason="needs triton")
@pytest.mark.parametrize("name", ["pc", "corinfomax", "pem"])
def test_fused_kernels_equal_numpy(name, tmp_path):
    """In Triton's interpreter, in a process of its own."""
    script = (
        "import apical, numpy as np\n"
        "from apical.engines.torch import engine as t\n"
        "m = t.TorchExecutable.__init__\n"
        "t.TorchExecutable.__init__ = lambda s, *a: m(s, *a, capture=None, fused=True)\n"
        f"c = apical.load({name!r}, **{parameters(name)!r})\n"
        "r = np.random.default_rng(0)\n"
        "d = {n: r.uniform(size=(3, s)) for n, s in c.streams.items()}\n"
        "s = [apical.Simulator(c, engine=e, seed=1) for e in ('numpy', 'torch')]\n"
        "[x.fit(d, batch=3) for x in s]\n"
        "for k in s[0].weights:\n"
        "    np.testing.assert_allclose(s[1].weights[k], s[0].weights[k], rtol=1e-10, atol=1e-10)\n"
    )
    import os

    env = os.environ | {"TRITON_INTERPRET": "1", "APICAL_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", script], check=True, env=env)


PARALLEL = """
import sys
import numpy as np, torch
import torch.distributed as dist
import apical
from apical.engines.torch.parallel import parallel

name, rank, store, out = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
torch.set_num_threads(1)
dist.init_process_group("gloo", init_method="file://" + store, rank=rank, world_size=2)
options = {"pc": {"sizes": [5, 4, 3, 2], "T": 6}, "pem": {"n": 3, "m": 4, "T": 25}}[name]
circuit = apical.load(name, variants=["adam"] if name == "pc" else [], **options)
rng = np.random.default_rng(0)
data = {n: rng.uniform(size=(12, s)) for n, s in circuit.streams.items()}
mine = {n: a.reshape(3, 2, 2, -1)[:, rank].reshape(6, -1) for n, a in data.items()}
with parallel():
    sim = apical.Simulator(circuit, engine="torch", seed=0)
    sim.fit(mine, batch=2, shuffle=False, epochs=2)
np.savez(out, **dict(sim.weights), **dict(sim.slow))
dist.destroy_process_group()
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="needs torch.distributed")
@pytest.mark.parametrize("name", ["pc", "pem"])
def test_two_processes_equal_one_with_the_joint_batch(tmp_path, name):
    store = str(tmp_path / "store")
    outs = [str(tmp_path / f"{rank}.npz") for rank in range(2)]
    running = [
        subprocess.Popen([sys.executable, "-c", PARALLEL, name, str(rank), store, outs[rank]])
        for rank in range(2)
    ]
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    circuit = small(name, ["adam"] if name == "pc" else [])
    sim = apical.Simulator(circuit, engine="torch", seed=0)
    sim.fit(streams(circuit, 12), batch=4, shuffle=False, epochs=2)
    for out in outs:
        with np.load(out) as found:
            for key, expected in arrays(sim).items():
                assert_allclose(found[key], expected, **CLOSE, err_msg=key)
