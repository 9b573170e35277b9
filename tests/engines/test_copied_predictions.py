"""A prediction that reads what it is to predict is told, before anybody believes its score."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import apical

COPYING = """\
apical: 1
name: copying
parameters:
  nudge: 0.5
data:
  image: 2
  label: 1
cells:
  sensory:
    soma: r = image
  output:
    soma:
      - y = input
      - z = y + nudge*label
populations:
  x:
    cell: sensory
    size: 2
  o:
    cell: output
    size: 1
synapses:
  W:
    from: x.r
    to: o.soma
    init: 1
    rule: w += 0.1*(post.z - post.y)*pre
predicts:
  label: o.z
protocols:
  train:
    settle:
      learn: W
  predict: settle
"""
SAMPLES = {"image": np.ones((3, 2)), "label": np.ones((3, 1))}


def evaluated(text):
    return apical.Simulator(apical.load_text(text), "numpy").evaluate(SAMPLES)


def test_a_label_that_reaches_its_prediction_is_told():
    """z = 2 + .5 label, which is 1: the error is 1.5^2."""
    with pytest.warns(apical.PredictionWarning, match="reads the stream 'label' that it predicts"):
        assert evaluated(COPYING)["squared_error"] == 2.25


def test_an_image_that_is_input_and_prediction_is_told_too():
    """A reconstruction means it so: the warning says what to do where it is not meant."""
    with pytest.warns(apical.PredictionWarning, match="A reconstruction means it so"):
        assert evaluated(COPYING.replace("label: o.z", "image: x.r"))["squared_error"] == 0


def test_a_label_that_is_read_for_an_error_only_is_not_told():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluated(COPYING.replace("label: o.z", "label: o.y"))
