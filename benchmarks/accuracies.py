"""Accuracies: every bundled circuit and variant that learns labels, on every task of images.

    python benchmarks/accuracies.py --tasks digits            # what is missing, then the table
    python benchmarks/accuracies.py --tasks mnist --only pc-  # some of it; the rest stays
    python benchmarks/accuracies.py --tasks mnist,fashion --long

Each row is `apical run NAME --variant ... --task ...` with what the files say. Results are kept in
`benchmarks/accuracies.jsonl`, with a hash of what ran: a second call goes on where
the first one ended, and a circuit that changed runs again. `--long` trains for 20 epochs, beside
backpropagation through a net of the same sizes (torch). The table is docs/accuracies.md.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import apical
from apical.graphs.load import bundled, variants_of
from apical.models.experiment import Experiment
from apical.models.tasks.choice import chosen
from apical.models.tasks.sizes import fitted

FOLDER = Path(__file__).resolve().parent
RESULTS, TABLE = FOLDER / "accuracies.jsonl", FOLDER.parent / "docs" / "accuracies.md"
TASKS = {"digits": "digits", "mnist": "MNIST", "fashion": "Fashion-MNIST"}
GOALS = {"digits": 0.93, "mnist": 0.95}
UNDER = {"simplex": ("sparse",)}  # variants that are laid over others
LONG_EPOCHS = 20
LONG = (  # circuit and variants, by task
    ("mnist", "pc", ("mnist",)),
    ("fashion", "pc", ("fashion",)),
    ("mnist", "seqil", ("mnist",)),
    ("fashion", "seqil", ("fashion",)),
    ("mnist", "seqil", ("mq", "mnist")),
    ("fashion", "seqil", ("mq", "fashion")),
)
UNTRAINED = {
    ("pc", "unconstrained"): "the input is free: it states theorem 3.3 and predicts nothing",
    ("pc", "free_start"): "inference starts where the states are put; it predicts nothing",
    ("pc", "free_output"): "nothing pulls at the output: it states theorem 3.1 and learns nothing",
}
REASONS = {
    ("pc", "linear"): "the whole net is linear: it reads as a linear classifier does",
}


@dataclass(frozen=True)
class Row:
    """One training: `experiment` is what `apical run` would do, `circuit` has the task's sizes."""

    task: str
    name: str
    variants: tuple[str, ...]
    epochs: int
    seed: int = 0

    @property
    def label(self) -> str:
        """pc-zil-digits-10-0: circuit, variants, task, epochs, seed."""
        words = (self.name, *self.variants, self.task, str(self.epochs), str(self.seed))
        return "-".join(words)

    def circuit(self) -> Any:
        """The circuit with the sizes of its task."""
        loaded = apical.load(self.name, variants=self.variants)
        return fitted(loaded, images(self.task))[0]

    def measure(self, circuit: Any) -> dict[str, Any]:
        """The accuracy after each epoch, and the seconds of all."""
        found: list[float] = []
        began = time.perf_counter()
        dtype = "float64" if self.task == "digits" else "float32"
        experiment = Experiment(self.task, None, self.epochs, seed=self.seed, dtype=dtype)
        settled = experiment.settled(circuit)[0]

        def keep(entry: Any) -> None:
            found.append(round(float(entry["accuracy"]), 4))

        try:
            settled.perform(circuit, False, keep, task=images(self.task))
        except apical.Divergence as error:
            return {"accuracy": found, "failed": str(error).partition(";")[0]}
        return {"accuracy": found, "seconds": round(time.perf_counter() - began, 1)}


_images: dict[str, Any] = {}


def images(task: str) -> Any:
    """A task, read once."""
    if task not in _images:
        _images[task] = chosen(task)
    return _images[task]


def circuits() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Circuits that predict a label, as they are and with each variant."""
    for name in bundled():
        if "label" not in apical.load(name).predicts:
            continue
        yield name, ()
        for variant in variants_of(name):
            if (name, variant) not in UNTRAINED:
                yield name, (*UNDER.get(variant, ()), variant)


def rows(tasks: list[str]) -> Iterator[Row]:
    """Ten epochs of digits, five of the larger sets; a variant for one task on that task alone."""
    for task in tasks:
        for name, variants in circuits():
            if not set(variants) & (set(TASKS) - {task}):
                yield Row(task, name, variants, 10 if task == "digits" else 5)


def long_rows(tasks: list[str], seeds: int) -> Iterator[Row]:
    """Twenty epochs, seed after seed."""
    for seed in range(seeds):
        for task, name, variants in LONG:
            if task in tasks:
                yield Row(task, name, variants, LONG_EPOCHS, seed)


def results() -> dict[str, dict[str, Any]]:
    """What was measured, by label; of several, the last."""
    if not RESULTS.exists():
        return {}
    lines = [json.loads(line) for line in RESULTS.read_text("utf-8").splitlines()]
    return {line["label"]: line for line in lines}


def keep(result: dict[str, Any]) -> None:
    """Writes a result behind the others."""
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(result) + "\n")
    print(result["label"], (result["accuracy"] or [None])[-1], result.get("seconds"), flush=True)


def fingerprint(circuit: Any) -> str:
    """A hash of what runs: the Programs, the parameters, the weights at the start."""
    programs = [apical.lower(circuit, name, learn=True).digest for name in ("train", "predict")]
    values = {name: entry.value for name, entry in circuit.parameters.items()}
    starts = {name: repr(synapse.init) for name, synapse in circuit.synapses.items()}
    return sha256(repr((programs, values, starts)).encode()).hexdigest()[:16]


def measure(row: Row) -> None:
    """One row, unless it is there for the circuit as it is now."""
    circuit = row.circuit()
    known, now = results().get(row.label), fingerprint(circuit)
    if known is None or known["hash"] != now:
        keep({"label": row.label, "hash": now, **row.measure(circuit)})


def backpropagation(task: str, sizes: list[int], seed: int) -> None:
    """A net tanh(W tanh(... W x)) by backpropagation: squared error, Adam 0.001, batch 20."""
    words = ("backpropagation", "x".join(map(str, sizes)), task, str(LONG_EPOCHS), str(seed))
    label = "-".join(words)
    if label in results():
        return
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    train, test = images(task).train, images(task).test
    x, y = (torch.as_tensor(train[name]) for name in ("image", "label"))
    shown, wanted = torch.as_tensor(test["image"]), torch.as_tensor(test["label"]).argmax(1)
    layers: list[Any] = []
    for pre, post in zip(sizes[:-1], sizes[1:], strict=True):
        layer = torch.nn.Linear(pre, post, bias=False)
        torch.nn.init.xavier_uniform_(layer.weight)
        layers += [layer, torch.nn.Tanh()]
    net = torch.nn.Sequential(*layers)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    found, began = [], time.perf_counter()
    for _ in range(LONG_EPOCHS):
        for part in torch.randperm(len(x)).split(20):
            loss = ((net(x[part]) - y[part]) ** 2).sum(1).mean() / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            hits = (net(shown).argmax(1) == wanted).float().mean()
        found.append(round(float(hits), 4))
    seconds = round(time.perf_counter() - began, 1)
    keep({"label": label, "hash": "", "accuracy": found, "seconds": seconds})


# --- the table -----------------------------------------------------------------------------------


def table() -> str:
    """docs/accuracies.md."""
    found = results()
    lines = [
        "# Accuracies",
        "",
        "Made by `python benchmarks/accuracies.py`: every bundled circuit and variant that learns "
        "labels, as `apical run NAME",
        "--variant ...` trains it, with the sizes and rates of its file, batches of 20, seed 0. "
        "Test accuracy after the last epoch (10",
        "of digits, 5 of the others; seconds of all, on a busy machine with two cores).",
        "",
        "| circuit | variants | " + " | ".join(TASKS.values()) + " |",
        "|---|---|" + "---|" * len(TASKS),
    ]
    missing, low = [], []
    for name, variants in circuits():
        cells = []
        for task in TASKS:
            row = Row(task, name, variants, 10 if task == "digits" else 5)
            cell, value = _cell(row, found)
            cells.append(cell)
            if cell == "missing":
                missing.append(row.label)
            if value is not None and value < GOALS.get(task, 0):
                low.append(
                    f"- `{row.label}`: {value:.3f}; {REASONS.get(_of(row), 'not looked into')}."
                )
        lines.append(
            f"| `{name}` | {', '.join(f'`{v}`' for v in variants)} | {' | '.join(cells)} |"
        )
    lines += ["", "Not in the table:", ""]
    lines += [f"- `{name}`, `{variant}`: {why}." for (name, variant), why in UNTRAINED.items()]
    if low:
        lines += ["", "Below .93 on digits or .95 on MNIST:", "", *low]
    if missing:
        lines += ["", f"{len(missing)} trainings were not made yet; the command makes them."]
    return "\n".join([*lines, *_long_table(found)]) + "\n"


def _of(row: Row) -> tuple[str, str]:
    return row.name, row.variants[-1] if row.variants else ""


def _cell(row: Row, found: dict[str, dict[str, Any]]) -> tuple[str, float | None]:
    if set(row.variants) & (set(TASKS) - {row.task}):
        return "", None
    if row.label not in found:
        return "missing", None
    one = found[row.label]
    if "failed" in one:
        return "diverged", 0.0
    return f"{one['accuracy'][-1]:.3f} ({one['seconds']:.0f} s)", one["accuracy"][-1]


def _long_table(found: dict[str, dict[str, Any]]) -> list[str]:
    """Twenty epochs beside backpropagation."""
    kinds: dict[str, list[list[float]]] = {}
    for label, one in found.items():
        *words, epochs, _ = label.split("-")
        if epochs == str(LONG_EPOCHS) and "failed" not in one:
            kinds.setdefault("-".join(words), []).append(one["accuracy"])
    lines = [
        "",
        f"## {LONG_EPOCHS} epochs beside backpropagation",
        "",
        "The same sizes and batches; backpropagation with tanh, squared error and Adam, 0.001. "
        "Median over the seeds of the",
        "accuracy after the last epoch, of the best and of the lowest of the last ten epochs: a "
        "collapse would show there.",
        "",
        "| task | circuit and variants | seeds | last | best | lowest of the last ten |",
        "|---|---|---|---|---|---|",
    ]
    for kind, curves in sorted(kinds.items(), key=lambda k: (k[0].split("-")[-1], k[0])):
        *what, task = kind.split("-")
        middle = [_median([f(c) for c in curves]) for f in (_last, max, _lowest)]
        cells = [
            TASKS[task],
            f"`{' '.join(what)}`",
            str(len(curves)),
            *(f"{m:.4f}" for m in middle),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines if kinds else []


def _last(curve: list[float]) -> float:
    return curve[-1]


def _lowest(curve: list[float]) -> float:
    return min(curve[-10:])


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else sum(ordered[middle - 1 : middle + 1]) / 2


def main() -> None:
    """Measures what is missing, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tasks", default="digits,mnist,fashion")
    parser.add_argument("--only", default="", help="labels that begin so")
    parser.add_argument("--long", action="store_true", help="20 epochs, beside backpropagation")
    parser.add_argument("--seeds", type=int, default=1, help="of --long")
    parser.add_argument("--table", action="store_true", help="only write the table")
    given = parser.parse_args()
    tasks = given.tasks.split(",")
    wanted = long_rows(tasks, given.seeds) if given.long else rows(tasks)
    for row in () if given.table else wanted:
        if row.label.startswith(given.only):
            measure(row)
            TABLE.write_text(table(), "utf-8")
    if given.long and not given.table and "backpropagation".startswith(given.only):
        for seed in range(given.seeds):
            for task in tasks:
                backpropagation(task, [784, 128, 64, 10], seed)
    TABLE.write_text(table(), "utf-8")


if __name__ == "__main__":
    main()
