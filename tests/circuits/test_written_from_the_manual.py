"""Circuits of the literature as a reader of the manual writes them, against loops in numpy."""

from __future__ import annotations

import numpy as np

from apical import Simulator, load_text, lower
from apical.graphs.instructions import MatrixProduct

# Meulemans et al. 2021: a controller brings the output to the target through Q, here the transposed
# Jacobian of a linear net; weights learn what the controller adds.
FEEDBACK_CONTROL = """\
apical: 1
name: deep feedback control
parameters:
  sizes: [4, 6, 5, 3]
  L: len(sizes) - 1
  eta: 0.05
  k_p: 2
data:
  image: sizes[0]
  label: sizes[L]
cells:
  sensory:
    soma: r = image
  neuron:
    basal: v = input
    apical: c = input
    soma:
      - du/dt = v + c - u
      - r = u
  controller:
    soma:
      - e = label - input
      - ds/dt = e
      - u = s + k_p*e
populations:
  layer[0]:
    cell: sensory
    size: sizes[0]
  layer[k=1..L]:
    cell: neuron
    size: sizes[k]
  control:
    cell: controller
    size: sizes[L]
synapses:
  W[k=1..L]:
    from: layer[k-1].r
    to: layer[k].basal
    init: normal(0, 1/sqrt(n_pre))
    rule: w += eta * (post.r - post.v) * pre
  out:
    from: layer[L].r
    to: control.soma
    connect: one_to_one
  Q[1]:
    from: control.u
    to: layer[1].apical
    weight: transpose(product(W[3], W[2]))
  Q[2]:
    from: control.u
    to: layer[2].apical
    weight: transpose(W[3])
  Q[3]:
    from: control.u
    to: layer[3].apical
    connect: one_to_one
predicts:
  label: layer[L].r
protocols:
  train:
    settle:
      steps: 200
      dt: 0.02
      learn: W
"""


def test_deep_feedback_control_is_its_loop():
    rng = np.random.default_rng(0)
    image, label = rng.normal(size=(5, 4)), rng.normal(size=(5, 3))
    circuit = load_text(FEEDBACK_CONTROL)
    sim = Simulator(circuit, engine="numpy", seed=2)
    w = [np.array(sim.weights[f"W[{k}]"]) for k in (1, 2, 3)]
    for _ in range(2):
        q = [(w[2] @ w[1]).T, w[2].T, np.eye(3)]
        u, s = [np.zeros((5, n)) for n in (6, 5, 3)], np.zeros((5, 3))
        for _ in range(200):
            error = label - u[2]
            control = s + 2 * error
            sent = [image, u[0], u[1]]
            u = [
                x + 0.02 * (r @ a.T + control @ b.T - x)
                for x, r, a, b in zip(u, sent, w, q, strict=True)
            ]
            s = s + 0.02 * error
        sent = [image, u[0], u[1]]
        changes = [(x - r @ a.T).T @ r / 5 for x, r, a in zip(u, sent, w, strict=True)]
        w = [a + 0.05 * change for a, change in zip(w, changes, strict=True)]
        sim.run("train", image=image, label=label, learn=True)
    for k in (1, 2, 3):
        np.testing.assert_allclose(sim.weights[f"W[{k}]"], w[k - 1], rtol=1e-11)
    (phase,) = lower(circuit, "train").phases
    made = [i for i in phase.instructions if isinstance(i, MatrixProduct)]
    assert len(made) == 1 and made[0] in phase.enter  # once for a presentation


# Lee et al. 2015: targets of hidden layers are h - g(h_next) + g(target_next); the inverse g learns
# to reconstruct h from what h plus noise, one number for each unit, brings about.
TARGETS = """\
apical: 1
name: difference target propagation
parameters:
  sizes: [4, 8, 3]
  sigma: 0.1
  eta: 0.05
  step_size: 0.5
data:
  image: sizes[0]
  label: sizes[2]
cells:
  sensory:
    soma: h = image
  hidden:
    basal: v = input
    apical:
      - g_h = tanh(input.reconstructed)
      - g_t = tanh(input.wanted)
    soma:
      - h = tanh(v)
      - target = h - g_h + g_t
      - e = target - h
      - noisy = h + sigma*z
      - miss = noisy - g_n
      - g_n = tanh(input.noisy)
    after_step: z := normal(0, 1)
  output:
    basal: v = input
    soma:
      - h = tanh(v)
      - target = h + step_size*(label - h)
      - e = target - h
      - noisy = tanh(input)
populations:
  x:
    cell: sensory
    size: sizes[0]
  y:
    cell: hidden
    size: sizes[1]
  z:
    cell: output
    size: sizes[2]
synapses:
  W1:
    from: x.h
    to: y.basal
    init: xavier_uniform
    rule: w += eta * post.e * (1 - post.h^2) * pre
  W2:
    from: y.h
    to: z.basal
    init: xavier_uniform
    rule: w += eta * post.e * (1 - post.h^2) * pre
  W2_noisy:
    from: y.noisy
    to: z.soma
    weight: copy(W2)
  V:
    from: z.noisy
    to: y.soma.noisy
    init: xavier_uniform
    rule: w += eta * post.miss * (1 - post.g_n^2) * pre
  V_h:
    from: z.h
    to: y.apical.reconstructed
    weight: copy(V)
  V_t:
    from: z.target
    to: y.apical.wanted
    weight: copy(V)
predicts:
  label: z.h
protocols:
  train:
    once:
      begin: y.z := normal(0, 1)
      learn: V; W1, W2
  predict:
    once: {}
"""


def test_difference_target_propagation_is_its_loop():
    rng = np.random.default_rng(1)
    image, label = rng.normal(size=(6, 4)), np.tanh(rng.normal(size=(6, 3)))
    sim = Simulator(load_text(TARGETS), engine="numpy", seed=4)
    w1, w2, v = (np.array(sim.weights[name]) for name in ("W1", "W2", "V"))
    for _ in range(3):
        traces = sim.run("train", image=image, label=label, learn=True, record=["y.z"])
        z = traces.arrays["y.z"][0, :, 0]
        assert len(np.unique(z)) == z.size  # a number for each unit and sample
        h = np.tanh(image @ w1.T)
        out = np.tanh(h @ w2.T)
        noisy = h + 0.1 * z
        sent = np.tanh(noisy @ w2.T)
        back = np.tanh(sent @ v.T)
        v = v + 0.05 * ((noisy - back) * (1 - back**2)).T @ sent / 6
        target = out + 0.5 * (label - out)
        e1 = np.tanh(target @ v.T) - np.tanh(out @ v.T)
        w1 = w1 + 0.05 * (e1 * (1 - h**2)).T @ image / 6
        w2 = w2 + 0.05 * ((target - out) * (1 - out**2)).T @ h / 6
    for name, expected in (("W1", w1), ("W2", w2), ("V", v)):
        np.testing.assert_allclose(sim.weights[name], expected, rtol=1e-11)
