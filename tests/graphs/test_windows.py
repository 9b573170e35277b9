"""Mistakes with convolutions and poolings are told at load, with their line and a way out."""

from __future__ import annotations

import pytest

import apical

TEXT = """\
apical: 1
name: windows
data: {image: 36}
cells:
  sensory: {soma: r = image}
  other: {basal: v = input, soma: du/dt = v - u}
populations:
  x: {cell: sensory, shape: [6, 6]}
  a: {cell: other, shape: [2, 4, 4]}
  p: {cell: other, shape: [2, 2, 2]}
  y: {cell: other, size: 5}
synapses:
  K: {from: x.r, to: a.basal, connect: convolution(3), init: 0.1, rule: w += post.u * pre}
  P: {from: a.u, to: p.basal, connect: 'pooling(max, 2)'}
  B: {from: p.u, to: a.basal, weight: transpose(P)}
  W: {from: p.u, to: y.basal, init: 0.1}
protocols:
  train: {one: {steps: 1, dt: 1, learn: K}}
"""
WRONG = [
    ("convolution(3)", "convolution", "does not say what a window is", "convolution(3, 1, 1)"),
    ("convolution(3)", "convolution(0)", "is 0", "convolution(size)"),
    ("convolution(3)", "convolution(5)", "makes 2 x 2 x 2; 'a' is 2 x 4 x 4", "shape: [2, 2, 2]"),
    ("convolution(3)", "convolution(9)", "larger than 'x', 1 x 6 x 6", ""),
    ("pooling(max, 2)", "pooling(least, 2)", "does not say what a window is", "pooling(max, size)"),
    ("to: y.basal, init", "to: y.basal, connect: convolution(3), init", "'y' has no `shape`", ""),
    ("pooling(max, 2)'", "pooling(max, 2)', init: 1", "`init` has no meaning for it", "weights"),
    ("transpose(P)", "transpose(P), connect: dense", "`connect` has no meaning", "`weight` alone"),
    ("p.u, to: a.basal, weight: transpose(P)", "y.u, to: a.basal, weight: transpose(K)",
     "'y' has no `shape`", ""),
    ("weight: transpose(P)", "weight: transpose(K)", "leads from 2 x 4 x 4 to 1 x 6 x 6", ""),
    ("init: 0.1, rule: w +=", "init: pre.index, rule: w +=", "share the weights", "initialisers"),
    ("rule: w += post", "rule: w := post", "added up", "what one connection adds"),
    ("rule: w += post.u * pre", "rule: w += post.u * pre - w", "neither `pre` nor `post`", "adamw"),
    ("rule: w += post.u * pre", "rule: w += post.u * sum(w*pre)", "reads `w` alone", ""),
    ("init: 0.1, rule", "init: 0.1, current: w*pre^2, rule", "`current` has no meaning", "w * pre"),
    ("init: 0.1, rule", "init: 0.1, trace: dm/dt = pre, rule", "`trace` has no meaning", "filter"),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "told", "way"), WRONG, ids=[w[1] for w in WRONG])
def test_a_mistake_is_told_with_its_line_and_a_way_out(right, wrong, told, way):
    assert TEXT.count(right) == 1
    apical.load_text(TEXT)
    text = TEXT.replace(right, wrong)
    with pytest.raises(apical.CircuitError) as raised:
        apical.load_text(text)
    lines = text.splitlines()
    found = [d for d in raised.value.diagnostics if told in str(d)]
    assert found, str(raised.value)
    assert way in str(found[0])
    changed = next(n for n, (a, b) in enumerate(zip(TEXT.splitlines(), lines, strict=True), 1)
                   if a != b)  # fmt: skip
    assert found[0].place.line == changed
