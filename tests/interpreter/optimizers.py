"""Optimizers from their papers: what becomes of the change g that a rule asks for.

Each takes (g, memory, arguments) and returns the step of the weight; `memory` is a dictionary of
its own for every synapse, in which the weight stands as "w".
"""

from __future__ import annotations

import numpy as np


def sgd(g, memory, lr=1.0):
    return lr * g


def momentum(g, memory, lr, mu=0.9):
    """Heavy ball: v <- mu v + g, step lr v (Polyak 1964)."""
    memory["v"] = mu * memory.get("v", 0) + g
    return lr * memory["v"]


def nesterov(g, memory, lr, mu=0.9):
    """The same v, looked ahead: step lr (g + mu v) (Sutskever et al. 2013)."""
    memory["v"] = mu * memory.get("v", 0) + g
    return lr * (g + mu * memory["v"])


def adam(g, memory, lr, b1=0.9, b2=0.999, eps=1e-8):
    """Kingma & Ba 2015, algorithm 1."""
    n = memory["n"] = memory.get("n", 0) + 1
    memory["m"] = b1 * memory.get("m", 0) + (1 - b1) * g
    memory["s"] = b2 * memory.get("s", 0) + (1 - b2) * g**2
    first, second = memory["m"] / (1 - b1**n), memory["s"] / (1 - b2**n)
    return lr * first / (np.sqrt(second) + eps)


def adamw(g, memory, lr, decay=0.01, b1=0.9, b2=0.999, eps=1e-8):
    """Adam beside a decay that its running means do not see (Loshchilov & Hutter 2019)."""
    return adam(g, memory, lr, b1, b2, eps) - lr * decay * memory["w"]


def rmsprop(g, memory, lr, rho=0.99, eps=1e-8):
    """The step over the root of a running mean of g^2 (Tieleman & Hinton 2012)."""
    memory["s"] = rho * memory.get("s", 0) + (1 - rho) * g**2
    return lr * g / (np.sqrt(memory["s"]) + eps)


def mq(g, memory, alpha, alpha_min=1e-3, r=1e-6, rho=0.9999):
    """The step over a running mean of |g| that starts at alpha (Alonso et al. 2024, eqs. 7-8)."""
    v, n = memory.get("v", alpha), memory.get("n", 0) + 1
    keep = min(n / (n + 1), rho)
    memory["v"], memory["n"] = keep * v + (1 - keep) * np.abs(g).sum() / memory["count"], n
    return (alpha / (v + r) + alpha_min) * g


OPTIMIZERS = {
    "sgd": sgd,
    "momentum": momentum,
    "nesterov": nesterov,
    "adam": adam,
    "adamw": adamw,
    "rmsprop": rmsprop,
    "mq": mq,
}
