"""Rows: what must be claimed of the papers, by number, and why a row has no claim.

Numbers are those of the project's list of features; M must, S should be there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .ledger import claims


@dataclass(frozen=True)
class Row:
    """One row: its number, M or S, what it is about, and why nothing is claimed of it."""

    number: int
    priority: str
    about: str
    why: str = ""


ROWS = (
    Row(16, "M", "inference dynamics eq. 1, simultaneous"),
    Row(17, "M", "learning eq. 2"),
    Row(18, "M", "free energy F, split F = L + E~ (eq. 12)"),
    Row(19, "M", "forward-pass initialisation"),
    Row(20, "M", "prospective configuration training loop (clamp, infer, learn)",
        "it needs MNIST and hours: `python benchmarks/accuracies.py`, docs/accuracies.md"),
    Row(21, "M", "Thm 3.1 free output = forward pass"),
    Row(22, "M", "Thm 3.2 errors obey the BP recursion at equilibrium"),
    Row(23, "M", "Thm 3.3 / A.5.3 unclamped input = TP targets"),
    Row(24, "S", "pseudo-inverse targets for non-square W",
        "not claimed yet: no equality holds, only a distance that falls with the ratio of widths"),
    Row(25, "M", "Thm 3.4 linear equilibrium"),
    Row(26, "S", "nonlinear: distances to forward pass and TP (Fig. 2 A,B)",
        "not claimed yet: linear nets only (pc.interpolates); curves of tanh nets are not drawn"),
    Row(27, "M", "precision-weighted dynamics eq. 6 (sign corrected)"),
    Row(28, "M", "Thm 3.5 precision equilibrium, matrix Pi"),
    Row(29, "M", "limits eq. 7-8 and ratio sweep (Fig. 2 left)"),
    Row(30, "S", "Fig. 1 A-D, Fig. 3 A-F",
        "no command draws them yet; data: pc.euler-power, pc.interpolates"),
    Row(31, "S", "fixed-point iteration, 4-layer (A.9.1)"),
    Row(32, "S", "EM reading eqs. 9-11, 13, 15-16"),
    Row(33, "M", "Prop. 3.1, Lemma 3.1 marginal condition"),
    Row(34, "S", "energy-gradient bound (A.6.3)"),
    Row(35, "S", "Thm 3.6 convergence to critical points of L"),
    Row(36, "M", "eq. 14: update = BP evaluated at equilibrium activities"),
    Row(37, "M", "Fig. 4 A"),
    Row(38, "S", "Fig. 4 B, C"),
    Row(39, "S", "A.3 convexity"),
    Row(40, "M", "A.4 closed-form path eqs. 31-32 (signs corrected)"),
    Row(42, "S", "A.7 lambda interpolation eq. 48"),
    Row(47, "M", "BP reference (eqs. 22-24)"),
    Row(48, "S", "target propagation eq. 25-26, difference TP",
        "the circuit dtp has stored arrays (tests/circuits), no claim yet"),
    Row(51, "M", "fixed-prediction PC = BP (A.2, Fig. 6)"),
    Row(52, "S", "... on arbitrary computation graphs; Salvatori 2022 arbitrary topologies",
        "not claimed yet: no bundled circuit has a skip connection"),
    Row(53, "M", "first step from forward init = BP direction (Song 2020)"),
    Row(
        54, "S",
        "small output precision -> BP (Whittington & Bogacz 2017), explicit error neurons",
    ),
    Row(55, "S", "A.9.2 MNIST + Fashion, Nesterov .9, lr 1e-4, 5 seeds",
        "it needs MNIST, Fashion-MNIST and hours: docs/accuracies.md"),
    Row(58, "S", "faster inference (message passing, discussion)",
        "not claimed yet: there is no other solver of equilibria"),
    Row(60, "S", "Rao & Ballard generative PC; associative memory via PC (Salvatori 2021)"),
    Row(61, "M", "Z-IL, fully connected"),
    Row(62, "S", "Z-IL, convolutional",
        "not claimed yet: Z-IL has no convolutional variant"),
    Row(63, "S", "Z-IL, many-to-one recurrent",
        "not claimed yet: Z-IL has no recurrent variant"),
    Row(64, "S", "Z-IL costs L steps; same endpoint over many updates"),
    Row(65, "M", "infinitesimal-inference theorem for any energy (free-phase equilibrium)"),
    Row(66, "M", "PC-Nudge"),
    Row(67, "M", "equilibrium propagation"),
    Row(68, "S", "contrastive Hebbian learning (+ layered feedback gain, Xie-Seung)",
        "no file of contrastive Hebbian learning yet"),
    Row(69, "S", "'new algorithms from new energies'",
        "`apical check --energy` says whether dynamics and rules descend what a file declares"),
    Row(70, "S", "Universal Hopfield: similarity, separation, projection"),
    Row(71, "S", "classical HN, SDM, dense/polynomial, MCHN (attention)"),
    Row(72, "S", "dynamics with second-order interactions + Lyapunov energy"),
    Row(73, "S", "similarities dot, cosine, Euclid, Manhattan, KL"),
    Row(75, "S", "target alignment metric"),
    Row(76, "S", "closed-form alignment in deep linear nets; optimality conditions"),
    Row(78, "M", "network dynamics, truncated gradient"),
    Row(79, "M", "error-driven W (soma minus basal, dendritic)"),
    Row(80, "M", "lateral Hebbian C through interneurons; variance as autapse; running mean"),
    Row(81, "M", "domains: antisparse, nn-antisparse, sparse, nn-sparse, simplex"),
    Row(82, "S", "general polytope"),
    Row(83, "M", "stop rule tol*|y| per sample"),
    Row(84, "S", "u-PEM (unnormalised)"),
    Row(85, "S", "objective with interpretable terms"),
    Row(86, "S", "spectral bounds on the surrogate error"),
    Row(87, "S", "robustness to source correlation"),
    Row(88, "S", "robustness to observation noise"),
    Row(89, "S", "online baselines: CorInfoMax-BSS, BSM, NSM"),
    Row(91, "M", "SINR / mSNR with greedy matching"),
    Row(94, "M", "WF form: eq. 1 with gamma_l and decay terms"),
    Row(95, "M", "eqs. 2, 4 (corrected: f'(h)f(h); e f(h)^T)"),
    Row(96, "S", "soft clamp eq. 3"),
    Row(97, "M", "sequential inference"),
    Row(98, "S", "simultaneous delay T >= L-2"),
    Row(99, "S", "cost T(2L-1) products"),
    Row(100, "M", "MQ optimiser eqs. 7-8 (corrected) incl. biases in one group"),
    Row(101, "M", "Adam, SGD, momentum, Nesterov per synapse"),
    Row(102, "S", "IL-prox / normalised step"),
    Row(105, "S", "beta -> 0 gives SGD"),
    Row(106, "S", "Fig. 2 update magnitudes per layer"),
    Row(107, "S", "Fig. 4 T sweep SeqIL vs SimIL",
        "it needs training; that simultaneous steps leave layers without error is seqil.delay"),
    Row(109, "S", "Table 2 accuracies",
        "SVHN, CIFAR-10, Tiny ImageNet cannot be had; docs/accuracies.md has Fashion-MNIST"),
    Row(110, "S", "convolutional nets",
        "not claimed yet: seqil has no convolutional variant"),
    Row(112, "S", "learning-rate grids",
        "`apical sweep` runs grids; which rate is best on the training data is not chosen by it"),
    Row(114, "M", "incremental PC"),
    Row(117, "M", "dynamics eqs. 15-17"),
    Row(118, "M", "three-compartment rewrite eqs. 18-20 equals 15-17"),
    Row(119, "M", "output layer eq. 21 (and code's variant)"),
    Row(120, "M", "M = D + O: autapses and SST interneurons i = -O r"),
    Row(121, "M", "W_ff, W_fb contrastive rules 26-27 (+ weight decay term 23, 25)"),
    Row(122, "M", "lateral rule 28"),
    Row(123, "M", "local rules 29-30"),
    Row(124, "S", "eq. 24 membrane-voltage form (App. H)"),
    Row(125, "M", "free and nudged phases, random-sign beta"),
    Row(126, "M", "no weight symmetry"),
    Row(127, "M", "B_inf,+ clipped rate"),
    Row(128, "M", "B_1,+ by an inhibitory interneuron (App. C, J.6)"),
    Row(129, "S", "other polytopes (App. C)"),
    Row(130, "S", "CMI eqs. 2, 4 equal"),
    Row(131, "S", "log-det entropies, exponential correlation (6), Taylor forms (10-11)"),
    Row(132, "S", "objective (9) ascends by coordinate ascent; (22)"),
    Row(133, "M", "Table 1 MNIST 97.62 / 97.71"),
    Row(134, "S", "Table 1 Fashion 88.14 / 88.09"),
    Row(136, "S", "baselines EP, CSM, PC, PC-Nudge in Table 1"),
    Row(137, "S", "FA (MSE, CE), BP (MSE, CE)",
        "the circuit backprop has arrays and autograd as oracles (tests/circuits), no claim yet"),
    Row(138, "S", "deeper nets, ablations of rates and h (App. J, K)",
        "not claimed yet: `apical run` warns of steps that are too long"),
    Row(139, "M", "mean +- sd over 10 runs",
        "replicas are tested against single runs (tests/engines)"),
    Row(140, "S", "slow computation (limitation)",
        "a measurement, not a statement: benchmarks/"),
    Row(143, "S", "Sacramento 2018 microcircuit"),
    Row(144, "S", "Urbanczik & Senn two-compartment"),
    Row(145, "S", "Golkar BioCCPC (whitening constraint)",
        "no file of this circuit yet"),
    Row(147, "S", "feedback alignment, direct FA",
        "variants of the circuit backprop (tests/circuits), no claim yet"),
    Row(148, "S", "weight mirror; Kolen-Pollack",
        "variants of the circuit backprop that learn them (tests/circuits), no claim yet"),
    Row(150, "S", "contrastive similarity matching, NSM, CCA net, Oja"),
)  # fmt: skip


def statuses() -> Iterator[tuple[Row, tuple[str, ...]]]:
    """Each row with the ids of its claims, quick and slow."""
    every = claims(slow=True)
    for row in ROWS:
        yield row, tuple(claim.id for claim in every if row.number in claim.rows)
