"""Template: the commented file that `apical new` writes, a small circuit that loads and runs."""

from __future__ import annotations

import os
import re
from pathlib import Path

TEMPLATE = """\
# NAME: in one line, what this circuit is.
#
# Its equations, as the paper prints them:
#
#   p = W r      e = r - p      dr/dt = -e + b      W += eta e r^T
#
# apical check FILE            is anything wrong with it?
# apical show FILE             what happens in which order?
# apical draw FILE -o x.svg    a picture of it
# apical run FILE              train it on the digits (pip install 'apical[demo]')
#
# For completion in an editor:  apical schema > circuit.schema.json
# yaml-language-server: $schema=circuit.schema.json

apical: 1                              # format of the language
name: NAME
title: Two layers, the upper one predicted by the lower one
cite: the paper, with its equation numbers

parameters:                            # constants; --set eta=0.1 overrides
  n_image: 64
  n_label: 10
  tau: 1
  eta: 0.05
  T: 20                                # steps of one presentation
  h: 0.1                               # length of a step

functions:
  f: tanh                              # f'(x) is then its derivative

data:                                  # what a presentation shows, and how many values it has
  image: n_image
  label: n_label

cells:                                 # compartment: its equations
  sensory:
    soma: x = image                    # algebraic: always has this value
  value:
    basal: u = input                   # what the synapses bring to this compartment
    error:
      - e = x - f(u)
      - d = e * f'(u)
    soma: tau * dx/dt = -e             # a state

populations:                           # cells in number
  low:
    cell: sensory
    size: n_image
  high:
    cell: value
    size: n_label

synapses:
  W:
    from: low.x                        # population.variable
    to: high.basal                     # population.compartment
    init: xavier_uniform
    rule: w += eta * post.d * pre.x    # for one synapse: w, pre.x, post.x, parameters

energy:                                # sums that can be recorded
  F: sum(high.e^2) / 2

record:                                # what traces hold; --record high.x says otherwise
  - F

predicts:                              # which variable says what the circuit thinks a stream is
  label: high.x

protocols:                             # what happens during one presentation, phase after phase
  train:
    forward:
      begin: high.x := f(u)
    settle:
      clamp: high.x = label            # holds to the end of the presentation
      steps: T
      dt: h
      learn: W                         # now the rule of W acts
  predict: forward                     # phases of `train` that a prediction needs

variants:                              # apical run FILE --variant linear
  linear:
    functions:
      f: identity
"""


def template(name: str) -> str:
    """The text of a new file for a circuit of this name."""
    return TEMPLATE.replace("NAME", name)


def write(path: str | os.PathLike[str]) -> Path:
    """Writes a new file, named after itself.

    Raises:
        ValueError: There is a file already, or the name is none for a circuit file.
    """
    place = Path(path)
    if place.suffix not in (".yaml", ".yml"):
        raise ValueError(f"{place}: expected a name that ends in .yaml")
    name = re.sub(r"\W+", "_", place.stem).strip("_") or "circuit"
    try:
        with open(place, "x", encoding="utf-8") as file:
            file.write(template(name))
    except FileExistsError:
        raise ValueError(f"{place} exists already; nothing was written") from None
    return place
