"""A small circuit file whose lines tests replace one by one."""

from __future__ import annotations

TEXT = """\
apical: 1
name: stated
parameters:
  tau: 10
  eta: [0.1, 0.2]
  b: 0.5
functions:
  f(u): tanh(u)
data:
  image: 3
  label: 2
cells:
  sensory:
    soma: s = image
  neuron:
    basal: v = input
    soma:
      - tau * du/dt = v - f(u)
      - e = eta[0]*(label - u)
populations:
  a:
    cell: sensory
    size: 3
  c:
    cell: neuron
    size: 2
synapses:
  W:
    from: a.s
    to: c.basal
    init: normal(0, 0.1)
    rule: w += b * post.e * pre
    optimizer: adam(0.1)
energy:
  F: sum(c.e^2)
predicts:
  label: c.u
protocols:
  train:
    go:
      steps: 5
      dt: 0.1
      learn: W
"""


def stated(*changes: tuple[str, str]) -> str:
    """The text with pieces replaced, each of which stands there once."""
    text = TEXT
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text
