"""What papers report for a bundled circuit on a task: the line beside a score of ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..graphs.circuit import Circuit
from .tasks.task import Task


@dataclass(frozen=True)
class Published:
    """One number of a paper, for a circuit with variants on a task with some of its options."""

    circuit: str
    variants: frozenset[str]
    task: str
    metric: str
    value: str
    where: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def is_of(self, circuit: Circuit, task: Task) -> bool:
        """Whether circuit and task are those of the paper."""
        options = task.extras.get("options", {})
        return (
            (self.circuit, self.task) == (circuit.name, task.name)
            and self.variants == frozenset(circuit.source.variants)
            and all(options.get(name) == value for name, value in self.options.items())
        )


def published(circuit: Circuit, task: Task) -> tuple[str, ...]:
    """A line for each number that papers report of the circuit on the task."""
    rows = (row for row in _rows() if row.is_of(circuit, task))
    return tuple(f"published {row.metric}: {row.value} ({row.where})" for row in rows)


_PEM = "Predictive Entropy Maximization 2026"
_TABLE_1 = "Bozkurt et al. 2023, table 1, ten seeds of 50 epochs"


def _curve(
    circuit: str,
    variants: Iterable[str],
    domain: str,
    metric: str,
    values: Mapping[tuple[float, float], float],
) -> Iterator[Published]:
    """Rows by (correlation, SNR in dB)."""
    for (rho, snr), value in values.items():
        yield Published(
            circuit,
            frozenset(variants),
            "separation",
            metric,
            f"{value:g} dB",
            f"{_PEM}, thirty seeds of 100,000 samples",
            {"domain": domain, "rho": rho, "snr": snr},
        )


def _by_correlation(*values: float) -> dict[tuple[float, float], float]:
    """Of rho 0, .1, ... .5 at 30 dB."""
    return {(k / 10, 30): value for k, value in enumerate(values)}


def _by_noise(*values: float) -> dict[tuple[float, float], float]:
    """Of 30, 25, ... 5 dB without correlation."""
    return {(0, 30 - 5 * k): value for k, value in enumerate(values)}


def _rows() -> Iterator[Published]:
    for variants in ((), ("correlated",)):
        values = _by_correlation(25.3, 24.9, 23.3, 21.2, 18.5, 15.4)
        yield from _curve("pem", variants, "antisparse", "sinr", values)
        values = _by_correlation(25.6, 25.0, 23.5, 21.3, 18.7, 15.5)
        yield from _curve("pem", variants, "antisparse", "mean_snr", values)
    values = _by_correlation(25.2, 24.4, 22.2, 19.1, 16.7, 14.2)
    yield from _curve("pem", ("unnormalised",), "antisparse", "mean_snr", values)
    values = _by_correlation(25.0, 24.9, 24.3, 23.7, 23.0, 22.3)
    yield from _curve("pem", ("correlation",), "antisparse", "mean_snr", values)
    both = {(0, 30): 26.15, (0.5, 30): 21.59}
    yield from _curve("pem", ("nonnegative",), "nnantisparse", "sinr", both)
    both = {(0, 30): 26.50, (0.5, 30): 22.19}
    yield from _curve("pem", ("nonnegative",), "nnantisparse", "mean_snr", both)
    values = _by_noise(26.76, 23.50, 19.90, 15.40, 10.89, 6.92)
    yield from _curve("pem", ("sparse",), "sparse", "sinr", values)
    values = _by_noise(27.63, 23.92, 19.65, 15.23, 10.85, 6.80)
    yield from _curve("pem", ("sparse", "nonnegative_sparse"), "nnsparse", "sinr", values)
    values = _by_noise(28.9, 25.3, 20.6, 15.6, 10.9, 6.8)
    yield from _curve("pem", ("sparse", "simplex"), "simplex", "mean_snr", values)
    values = _by_correlation(30.1, 20.1, 14.9, 11.8, 9.6, 7.8)
    yield from _curve("bsm", (), "antisparse", "mean_snr", values)
    both = {(0, 30): 30.09, (0.5, 30): 7.57}
    yield from _curve("nsm", (), "nnantisparse", "mean_snr", both)
    for variants, task, metric, value in (
        (("sparse", "music"), "music", "mean_snr", "24.1, 25.1 and 21.5 dB"),
        (("nonnegative", "photographs"), "photographs", "sinr", "21.6 dB"),
    ):
        where = f"{_PEM}, of other recordings"
        yield Published("pem", frozenset(variants), task, metric, value, where)
    for variants, task, value in (
        (("mnist",), "mnist", "0.9762 +- 0.0012"),
        (("fashion",), "fashion", "0.8814 +- 0.0028"),
    ):
        yield Published("corinfomax", frozenset(variants), task, "accuracy", value, _TABLE_1)
