"""Checkpoints under stress: mutated files, and trainings that are killed again and again.

    python tests/engines/stress_checkpoints.py --mutations 1000 --kills 50 --seed 0

Mutations: files with something changed (bytes, header, names, shapes, dtypes, numbers, facts; with
the old digest, or one that fits) are resumed in another process. None may be taken whose arrays
differ from the original's in a name, shape, dtype or finiteness; what is taken must learn; nothing
but a CheckpointError may come back; and the process must not die.

Kills: a process that trains with checkpoints inside epochs is killed at random moments (SIGKILL, or
Ctrl-C), started again from its file, until the training is over. Its weights must equal those of
the training that nobody disturbed, bit for bit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

CIRCUIT = """
apical: 1
name: stressed
title: Slow variables, filters, noise, two optimizers, lists, no autapses
parameters:
  eta: 0.01
  gain: [1, 2, 3]
  sizes: [4, 3]
data:
  image: sizes[0]
cells:
  sensory:
    soma: r = image
  neuron:
    basal: v = input
    soma: du/dt = tanh(v + theta * gain) - u + 0.1 * xi
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
    bias: true
    rule: w += post.u * (pre - post.u * w)
    optimizer: adam(eta)
  V:
    from: y.u
    to: y.basal
    connect: all_but_self
    init: 0.1
    filter: [1, 2]
    rule: w -= eta * (post.u * pre + w)
    optimizer: momentum(eta)
protocols:
  train:
    settle:
      steps: 20
      dt: 0.1
      learn: W; V; y.theta
"""
SETTINGS = (
    {"engine": "numba", "dtype": "float64", "replicas": 2},
    {"engine": "numpy", "dtype": "float32", "replicas": 1},
    {"engine": "numba", "dtype": "float32", "replicas": 3},
)
EPOCHS, BATCH = 12, 3


def _say(text: str) -> None:
    print(text, flush=True)


def samples(count: int) -> dict[str, np.ndarray]:
    return {"image": np.random.default_rng(1).normal(size=(count, 4))}


# --- mutations -----------------------------------------------------------------------------------

Mutation = Callable[[random.Random, Path, Path], None]


def _header(path: Path) -> tuple[dict[str, Any], bytes]:
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def _put(path: Path, header: Any, rest: bytes) -> None:
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + rest)


def cut(draw: random.Random, base: Path, path: Path) -> None:
    data = base.read_bytes()
    path.write_bytes(data[: draw.randrange(len(data))])


def flip(draw: random.Random, base: Path, path: Path) -> None:
    """Bits, anywhere; half of the time in the header."""
    data = bytearray(base.read_bytes())
    end = 8 + int.from_bytes(data[:8], "little") if draw.random() < 0.5 else len(data)
    for _ in range(draw.choice((1, 1, 2, 8))):
        data[draw.randrange(end)] ^= 1 << draw.randrange(8)
    path.write_bytes(data)


def insert(draw: random.Random, base: Path, path: Path) -> None:
    data = base.read_bytes()
    at = draw.choice((draw.randrange(len(data)), len(data)))
    path.write_bytes(data[:at] + draw.randbytes(draw.choice((1, 8, 100))) + data[at:])


def header(draw: random.Random, base: Path, path: Path) -> None:
    """One entry of the header: a shape, dtype, place, name, or the metadata."""
    head, rest = _header(base)
    names = [n for n in head if n != "__metadata__"]
    name = draw.choice(names)
    entry = head[name]
    what = draw.randrange(8)
    if what == 0:
        entry["shape"] = draw.choice(([], [1, 1, 1], entry["shape"][::-1], [-1], [2**62, 4], ["a"]))
    elif what == 1:
        entry["dtype"] = draw.choice(("F32", "I64", "F16", "BF16", "U8", "BOOL", "F8_E4M3", "X"))
    elif what == 2:
        start, stop = entry["data_offsets"]
        entry["data_offsets"] = draw.choice(([0, stop - start], [stop, start], [start, 2**60], []))
    elif what == 3:
        head[draw.choice(("W", "V", "#t", "$eta", "x", "", "y.u" * 99))] = head.pop(name)
    elif what == 4:
        del head[name]
    elif what == 5:
        other = draw.choice(names)
        head[name], head[other] = head[other], head[name]
    elif what == 6:
        head["__metadata__"].pop(draw.choice(list(head["__metadata__"])))
    else:
        key = draw.choice(("format", "facts", "digest"))
        head["__metadata__"][key] = draw.choice(("", "apical-checkpoint-1", "{}", "[" * 5000, "0"))
    _put(path, head, rest)


def _numbers(draw: random.Random, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
    name = draw.choice(list(arrays))
    array = arrays[name].copy()
    array.flat[draw.randrange(array.size)] = draw.choice((np.nan, np.inf, -np.inf))
    arrays[name] = array


def _shapes(draw: random.Random, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
    name = draw.choice(list(arrays))
    array = arrays[name]
    arrays[name] = draw.choice(
        (
            lambda: array[:1, :1, :1] if array.size > 1 else np.zeros((2, 2, 2), array.dtype),
            lambda: array[..., :0],
            lambda: np.concatenate([array, array]),
            lambda: np.concatenate([array, array], axis=2),
            lambda: array[..., None],
            lambda: array.reshape(-1),
            lambda: np.float64(1.0),
            lambda: array.swapaxes(1, 2) if len(set(array.shape[1:])) > 1 else array[:, 0],
        )
    )()


def _dtypes(draw: random.Random, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
    name = draw.choice(list(arrays))
    kinds = [k for k in ("f2", "f4", "f8", "i4", "i8", "u1", "?") if arrays[name].dtype != k]
    arrays[name] = arrays[name].astype(draw.choice(kinds))


def _names(draw: random.Random, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
    name = draw.choice(list(arrays))
    what = draw.randrange(4)
    if what == 0:
        del arrays[name]
    elif what == 1:
        arrays[name + draw.choice(("x", " ", ".", "~lost", "\u00b5"))] = arrays.pop(name)
    elif what == 2:
        arrays[draw.choice(("$eta", "W2", "y", "#u", "y.v", "W.trace"))] = arrays[name]
    else:
        arrays[name.swapcase()] = arrays.pop(name)


STRANGE = (None, True, -1, 0, 2.5, 10**30, "", "a", [], [1], {}, {"a": 1}, [[]], [None], 1e308)


def _facts(draw: random.Random, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
    """One value among the facts, at any depth, becomes a strange one, or goes, or one is added."""
    where: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key in node if isinstance(node, dict) else range(len(node)):
            where.append((node, key))
            if isinstance(node[key], dict | list):
                walk(node[key])

    walk(facts)
    node, key = draw.choice(where)
    what = draw.randrange(6)
    if what == 0:
        del node[key]
    elif what == 1 and isinstance(node, dict):
        node[draw.choice(("x", "etta", "sizes", "eta", "gain"))] = draw.choice(STRANGE)
    else:
        node[key] = draw.choice(STRANGE)


def _sizes(draw: random.Random, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
    """The circuit of another file."""
    sizes = draw.choice(([4, 4], [3, 3], [4, 2], [1, 1], [4, 300], [10**7, 10**7]))
    facts["circuit"]["overrides"] = {"sizes": sizes, "gain": [1.0] * min(sizes[1], 1000)}


def sealed(change: Callable[[random.Random, dict[str, np.ndarray], dict[str, Any]], None]):
    """A change of arrays or facts, under a digest that fits."""

    def mutate(draw: random.Random, base: Path, path: Path) -> None:
        from apical.traces import safetensors_file as checkpoint

        found = checkpoint.read(base)
        arrays, facts = dict(found.arrays), json.loads(json.dumps(found.facts))
        change(draw, arrays, facts)
        checkpoint.save(path, arrays, facts)

    mutate.__name__ = f"sealed{change.__name__}"
    return mutate


MUTATIONS: tuple[Mutation, ...] = (
    cut,
    flip,
    insert,
    header,
    *(sealed(change) for change in (_numbers, _shapes, _dtypes, _names, _facts, _facts, _sizes)),
)


def bases(folder: Path) -> list[Path]:
    """Checkpoints in the middle of an epoch, after one, and of a simulator that learnt nothing."""
    import apical

    made = []
    circuit = apical.load_text(CIRCUIT)
    for number, settings in enumerate(SETTINGS):
        sim = apical.Simulator(circuit, seed=number, **settings)
        for step in ("new", "inside", "after"):
            if step == "inside":
                sim.fit(samples(30), batch=BATCH, checkpoint=folder / "x", every=7)
                sim = apical.Simulator.resume(folder / "x") if number else sim
            elif step == "after":
                sim.start_epoch_anew()
                sim.parameters["eta"] = 0.02
                sim.fit(samples(30), batch=7)
            made.append(folder / f"{number}-{step}.safetensors")
            sim.save(made[-1])
    return made


class Worker:
    """A process that resumes the files it is told, and says what came of it."""

    def __init__(self):
        self.process = None

    def ask(self, path: Path, base: Path) -> dict[str, Any]:
        """The worker's answer; `died` where there was none."""
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, __file__, "--work"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps([str(path), str(base)]) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        code, self.process = self.process.wait(), None
        return {"died": code}

    def close(self) -> None:
        if self.process is not None:
            assert self.process.stdin
            self.process.stdin.close()
            self.process.wait()


def work() -> None:
    """The worker: a line of JSON for each line of paths."""
    import apical

    for line in sys.stdin:
        path, base = json.loads(line)
        try:
            sim = apical.Simulator.resume(path)
            found = _described(sim)
            problem = "" if found == _described(apical.Simulator.resume(base)) else "differs"
            going = sim.counters.going
            if going is not None and going.slots < 1000:
                sim.run("train", learn=True, batch=going.slots, carry=True, **samples(going.slots))
            sim.start_epoch_anew()
            sim.fit(samples(6), batch=BATCH)
            answer = {"taken": problem or "same"}
        except apical.CheckpointError as error:
            answer = {"refused": str(error)}
        except apical.Divergence:
            answer = {"taken": "same"}
        except Exception as error:
            answer = {"raised": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


def _described(sim: Any) -> list[Any]:
    arrays = {n: a for n, a in sim._core.state.arrays.items() if n[0] != "$"}
    return sorted((n, a.shape, str(a.dtype), bool(np.isfinite(a).all())) for n, a in arrays.items())


def mutate(count: int, seed: int, folder: Path, say: Callable[[str], None] = _say) -> Counter[str]:
    """How often files were refused, taken, raised something else, or killed the process."""
    files, worker, found = bases(folder), Worker(), Counter[str]()
    for number in range(seed, seed + count):
        draw = random.Random(number)
        base, change = draw.choice(files), MUTATIONS[number % len(MUTATIONS)]
        path = folder / "mutated.safetensors"
        change(draw, base, path)
        if path.read_bytes() == base.read_bytes():
            found["unchanged"] += 1
            continue
        answer = worker.ask(path, base)
        (kind, text), *_ = answer.items()
        found[kind if kind != "taken" else f"taken, {text}"] += 1
        named = kind == "refused" and str(path) in text
        if kind in ("raised", "died") or text == "differs" or (kind == "refused" and not named):
            found["wrong"] += 1
            say(f"seed {number}, {change.__name__} of {base.name}: {kind} {text}")
        elif kind == "taken":
            found[f"taken after {change.__name__}"] += 1
            say(f"seed {number}, {change.__name__} of {base.name}: taken, with the same arrays")
    worker.close()
    return found


# --- kills ---------------------------------------------------------------------------------------


def train(path: str, engine: str, seed: int, count: int) -> None:
    """The child: goes on from the file where there is one; prints when it begins and ends."""
    import apical

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` has it ignored
    circuit = apical.load_text(CIRCUIT)
    if Path(path).exists():
        sim = apical.Simulator.resume(path)
    else:
        sim = apical.Simulator(circuit, engine=engine, seed=seed)
    warm = apical.Simulator(circuit, engine=engine, seed=seed)
    warm.fit(samples(BATCH + 1), batch=BATCH)  # compiled
    print("begins", flush=True)
    history = sim.fit(
        samples(count), epochs=EPOCHS - sim.epoch, batch=BATCH, checkpoint=path, every=11
    )
    if not history.interrupted:
        print("ends", flush=True)


def _child(arguments: list[str]) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--train", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill(
    count: int,
    how: signal.Signals,
    seed: int,
    folder: Path,
    engines: tuple[str, ...] = ("numba", "numpy"),
    say: Callable[[str], None] = _say,
) -> Counter[str]:
    """Trainings until that many signals were sent inside `fit`; how many of which kind."""
    import apical

    draw, found, training = random.Random(f"{seed} {how}"), Counter[str](), 0
    size = {"numba": 3000, "numpy": 300, "torch": 200}
    while found["signals"] < count:
        if training > count:
            found["wrong"] += 1
            say(f"{how.name}: {training} trainings ended before the signal came")
            break
        engine = engines[training % len(engines)]
        path = folder / f"{how.name}-{training}.safetensors"
        arguments = [str(path), engine, str(seed + training), str(size[engine])]
        before, lasts = found["signals"], 2.0
        while True:
            child = _child(arguments)
            assert child.stdout and child.stderr
            said = child.stdout.readline()
            began = time.perf_counter()
            if said.strip() == "begins" and found["signals"] < count:
                time.sleep(draw.random() * lasts / 2)
                child.send_signal(how)
            rest, errors = child.communicate()
            lasts = max(0.2, min(lasts, time.perf_counter() - began + 0.1))
            if "ends" in rest:
                break
            if child.returncode not in (0, -how, 130) and "KeyboardInterrupt" not in errors:
                found["wrong"] += 1
                say(f"{how.name}, training {training}: exit {child.returncode}\n{errors}")
                return found
            found["signals"] += 1
            inside = path.exists() and apical.Simulator.resume(path).unfinished is not None
            found["left inside an epoch"] += inside
        found["trainings"] += 1
        whole = apical.Simulator(apical.load_text(CIRCUIT), engine=engine, seed=seed + training)
        whole.fit(samples(size[engine]), epochs=EPOCHS, batch=BATCH)
        end = apical.Simulator.resume(path)
        same = _bytes(end) == _bytes(whole) and end.presentation == whole.presentation
        found["bit-identical" if same else "wrong"] += 1
        say(
            f"{how.name}, {engine}, seed {seed + training}: {found['signals'] - before} signals, "
            f"{'the same bits' if same else 'NOT THE SAME'}"
        )
        training += 1
    return found


def _bytes(sim: Any) -> dict[str, bytes]:
    return {n: a.tobytes() for n, a in sim._core.state.arrays.items() if n[0] != "$"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutations", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=50, help="of each of SIGKILL and Ctrl-C")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--train", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work()
        return 0
    if given.train:
        path, engine, seed, count = given.train
        train(path, engine, int(seed), int(count))
        return 0
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.mutations:
            found = mutate(given.mutations, given.seed, folder)
            print("mutations:", ", ".join(f"{n} {k}" for k, n in sorted(found.items())))
            wrong += found["wrong"]
        for how in (signal.SIGKILL, signal.SIGINT) if given.kills else ():
            found = kill(given.kills, how, given.seed, folder)
            print(f"{how.name}:", ", ".join(f"{n} {k}" for k, n in sorted(found.items())))
            wrong += found["wrong"]
    return 1 if wrong else 0


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.exit(main())
