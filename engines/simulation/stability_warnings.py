"""Warnings about inference that is unstable: an energy rises, and the steps are too long for it.

A step of length h along dx/dt = f(x) is stable where |1 + h l| <= 1 for the eigenvalues l of df/dx;
with mu = 1 + h l of the unstable one, the longest stable step is -2 Re(l) / |l|^2.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

from ...graphs.program import Program
from ..divergence import on_host
from ..presentation import Arrays, Presentations

SHARE = 0.1  # of the samples looked at
RISE = 0.01  # of an energy's first value
GROWTH = 2.0  # of a residual, over its smallest value
UNSTABLE = 1.001  # |mu|
DAMPED = 0.05  # -Re(l) / |l|: what grows by itself is not the step's fault


class StabilityWarning(UserWarning):
    """Inference is unstable: its steps are longer than the largest stable one."""


@dataclass(frozen=True)
class Instability:
    """A phase whose steps are too long.

    what: "energy F" or "the residual". share: of the samples, those in which it rises. dt: the
    step; longest: the largest stable one.
    """

    phase: str
    what: str
    share: float
    dt: float
    longest: float


def instabilities(program: Program, memory: Arrays, work: Presentations) -> list[Instability]:
    """The unstable phases of the first presentation of `work`; `memory` stays as it is.

    program: a protocol without learning, that records its energies.
    """
    from ..numpy.step_spectrum import watched

    streams = {name: on_host(values) for name, values in work.streams.items()}
    seen = watched(program, memory, replace(work, streams=streams), _suspicious)
    found = []
    for phase in seen:
        rising = _rising(phase.energies, phase.residual)
        if not rising:
            continue
        mu, dt = phase.eigenvalue, phase.dt
        rate = (mu - 1) / dt
        damped = -rate.real > DAMPED * np.abs(rate)
        wrong = (np.abs(mu) > UNSTABLE) & damped
        if np.mean(wrong) < SHARE:
            continue
        what, share = next(iter(rising.items()))
        longest = np.min(-2 * rate.real[wrong] / np.abs(rate[wrong]) ** 2)
        found.append(Instability(phase.phase, what, share, float(dt.max()), float(longest)))
    return found


def _suspicious(energies: dict[str, np.ndarray], residual: np.ndarray) -> bool:
    return bool(_rising(energies, residual))


def _rising(energies: dict[str, np.ndarray], residual: np.ndarray) -> dict[str, float]:
    """What ends above its smallest value, and in which share of the samples."""
    shares = {
        f"the energy {name}": np.mean(path[-1] - path.min(axis=0) > RISE * np.abs(path[0]))
        for name, path in energies.items()
    }
    shares["the residual"] = np.mean(residual[-1] > GROWTH * residual.min(axis=0))
    return {what: float(share) for what, share in shares.items() if share >= SHARE}


class InferenceWatch:
    """Looks at the inference of a protocol; `failing`: phases that were unstable last time."""

    def __init__(self) -> None:
        self.failing: set[str] = set()

    def look(self, found: list[Instability], protocol: str, epoch: int) -> None:
        """Warns of phases that are unstable and were not when last looked at."""
        for one in found:
            if one.phase in self.failing:
                continue
            said = (
                f"inference is unstable after epoch {epoch}: in the phase {one.phase!r} of "
                f"{protocol!r} {one.what} rises in {one.share:.0%} of the samples looked at; its "
                f"steps of dt = {one.dt:.3g} are too long, the largest stable one is about "
                f"{one.longest:.2g}"
            )
            warnings.warn(said, StabilityWarning, stacklevel=5)
        self.failing = {one.phase for one in found}
