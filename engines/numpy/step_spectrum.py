"""Probe: one presentation watched step by step, and the spectrum of a step.

    v := M v / |v|,  M v = (step(z + eps v) - step(z)) / eps

The power iteration finds the largest eigenvalue mu of M, the Jacobian of a step, for every sample
by itself. z is all that one step hands on to the next. Where some of it is a function of the rest
(an algebraic variable), M has further eigenvalues 0, and no others. z is taken where the sample was
nearest to rest, and at the end: what has left an unstable state may end in a cycle that is stable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...graphs.instructions import Instruction, Output, Push, Stop, Store
from ...graphs.program import PhaseProgram, Program, StepLoop
from ..presentation import Arrays, Presentations, allocate
from .engine import NumpyExecutable, Walk

ITERATIONS = 60
EPS = 1e-6


@dataclass(frozen=True)
class Watched:
    """What was seen of one phase; axes (replica, sample) and, of a path, (step,) in front.

    energies: path of each energy, from the state after `begin` on. residual: path of
    max |dx/dt| / (1 + |x|). dt: length of the last step. eigenvalue: the larger mu of the two
    states; 0 where it was not looked for.
    """

    phase: str
    energies: dict[str, np.ndarray]
    residual: np.ndarray
    dt: np.ndarray
    eigenvalue: np.ndarray


Suspicion = Callable[[dict[str, np.ndarray], np.ndarray], bool]  # of energies and the residual


def watched(
    program: Program, memory: Arrays, work: Presentations, suspicious: Suspicion
) -> list[Watched]:
    """The phases with steps of the first presentation of `work`; memory stays as it is.

    The records of `program` are energies. The eigenvalue is found where a phase is `suspicious`.
    """
    wide = {n: a.astype(np.float64) if a.dtype.kind == "f" else a for n, a in memory.items()}
    executable = NumpyExecutable(program, np.dtype(np.float64))
    allocate(program, work, executable.dtype)
    presentation = _Watching(executable, wide, work, 0)
    presentation.suspicious, presentation.seen = suspicious, []
    with np.errstate(all="ignore"):
        presentation.run()
    return presentation.seen


class _Watching(Walk):
    """A presentation that keeps what it sees of each phase with steps."""

    suspicious: Suspicion
    seen: list[Watched]

    def _phase(self, phase: PhaseProgram) -> None:
        self._do(phase.enter)
        if phase.loop is not None:
            self._watch(phase, phase.loop)
        self._do(phase.leave)

    def _watch(self, phase: PhaseProgram, loop: StepLoop) -> None:
        states = [n for n, b in self.program.buffers.items() if b.kind == "state"]
        self.lines = {i.line: i for i in loop.body if isinstance(i, Push)}
        held = {name for line in self.lines.values() for name in line.writes}
        moving = [n for n in states if any(n in i.writes for i in loop.body) and n not in held]
        names = self._handed_on(loop.body)
        residuals: list[np.ndarray] = []
        calm = {name: self.arrays[name] for name in names}
        least = np.full(self.order.shape, np.inf)
        for step in range(loop.steps):
            self._count(step)
            before = {name: self.arrays[name] for name in moving}
            self.active[:] = True
            self._do(tuple(i for i in loop.body if not isinstance(i, Stop)))
            dt = self._dt(phase)
            rates = [
                np.max(np.abs(self.arrays[n] - x) / (1 + np.abs(x)), axis=-1)
                for n, x in before.items()
            ]
            residual = np.max([*rates, np.zeros(self.order.shape)], axis=0) / dt
            nearer = (residual < least)[..., None]
            calm = {n: np.where(nearer, self.arrays[n], old) for n, old in calm.items()}
            least = np.minimum(least, residual)
            residuals.append(residual)
        energies = {
            slot.name: self.work.records[number][:, 0, self._rows(number, phase), 0].swapaxes(0, 1)
            for number, slot in enumerate(self.program.slots)
        }
        path, mu = np.stack(residuals), np.zeros(self.order.shape, dtype=complex)
        if moving and self.suspicious(energies, path):
            last = {name: self.arrays[name] for name in names}
            both = [self._eigenvalue(loop, z) for z in (calm, last)]
            mu = np.where(np.abs(both[0]) > np.abs(both[1]), *both)
        self.seen.append(Watched(phase.name, energies, path, self._dt(phase), mu))

    def _rows(self, slot: int, phase: PhaseProgram) -> list[int]:
        rows = range(phase.first_row, phase.first_row + phase.steps + 1)
        return [place for row in rows if (place := self.parent.rows[slot][row]) >= 0]

    def _dt(self, phase: PhaseProgram) -> np.ndarray:
        """(replica, 1)."""
        dt = 1.0 if phase.dt is None else self._value(phase.dt)
        return np.broadcast_to(np.asarray(dt, dtype=float).reshape(-1, 1), (self.replicas, 1))

    def _eigenvalue(self, loop: StepLoop, z: Arrays) -> np.ndarray:
        """mu (replica, sample) at z, complex, by the last two of `ITERATIONS` powers of M."""
        code = tuple(i for i in loop.body if not isinstance(i, (Stop, Store, Output)))
        kept, heads = dict(self.arrays), {line.head for line in self.lines.values()}

        def step(at: Arrays) -> Arrays:
            """What `at` becomes; a delay line turns back, so that its newest is where it was."""
            self.arrays = {**kept, **z, **at}
            self._do(code)
            for line, push in self.lines.items():
                units = self.program.buffers[push.source].size
                self.arrays[line] = np.roll(self.arrays[line], -units, axis=-1)
            return {name: self.arrays[name] for name in z if name not in heads}

        base = step(z)
        size = 1 + np.max([np.max(np.abs(z[n]), axis=-1) for n in base], axis=0)
        eps = (EPS * size)[..., None]

        def applied(v: Arrays) -> Arrays:
            moved = step({name: z[name] + eps * v[name] for name in base})
            return {name: (moved[name] - base[name]) / eps for name in base}

        rng = np.random.default_rng(0)
        v = _scaled({name: rng.normal(size=a.shape) for name, a in base.items()})
        for _ in range(ITERATIONS):
            v = _scaled(applied(v))
        one = applied(v)
        two = applied(one)
        self.arrays = kept
        return _dominant(v, one, two)

    def _handed_on(self, code: tuple[Instruction, ...]) -> list[str]:
        """What a step reads before it writes it, and writes: of units and samples."""
        read: dict[str, None] = {}
        written: set[str] = set()
        for instruction in code:
            read |= dict.fromkeys(sorted(instruction.reads - written))
            written |= instruction.writes
        buffers = self.program.buffers
        return [n for n in read if n in written and buffers[n].shape[0] in ("unit", "sample")]


def _scaled(v: Arrays) -> Arrays:
    norm = np.sqrt(_dot(v, v))[..., None]
    return {name: a / np.where(norm > 0, norm, 1) for name, a in v.items()}


def _dot(a: Arrays, b: Arrays) -> np.ndarray:
    return np.sum([np.sum(a[name] * b[name], axis=-1) for name in a], axis=0)


def _dominant(v: Arrays, one: Arrays, two: Arrays) -> np.ndarray:
    """mu of v, M v and M^2 v: a Rayleigh quotient, or a root of mu^2 = p mu + q fitted to them."""
    real = _dot(v, one)
    off = {name: one[name] - real[..., None] * v[name] for name in v}
    rest = _dot(off, off)
    is_real = rest <= 1e-4 * np.maximum(real**2, 1e-300)
    across = np.where(is_real, 1, rest)
    p = _dot(off, two) / across  # two = p one + q v
    q = _dot(v, two) - p * real
    root = (p + np.sqrt(p.astype(complex) ** 2 + 4 * q)) / 2
    other = p - root
    larger = np.where(np.abs(root) >= np.abs(other), root, other)
    return np.where(is_real, real.astype(complex), larger)
