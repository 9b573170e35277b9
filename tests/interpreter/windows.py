"""What a convolution and a pooling mean, connection by connection.

A convolution is a dense synapse in which some connections are not there and others share a weight;
a pooling has a weight for each sample, which says who is the first maximum of a window.
"""

from __future__ import annotations

from functools import cache

import numpy as np


def place(shape, channel, row, column):
    """The number of a unit."""
    return (channel * shape[1] + row) * shape[2] + column


@cache
def connections(over, pooled):
    """(unit of the map, unit of the image, weight (out, in, a, b)) of each connection there is."""
    found = []
    for o, r, c in np.ndindex(*over.map):
        for i, a, b in np.ndindex(over.image[0], over.size, over.size):
            y, x = over.stride * r - over.padding + a, over.stride * c - over.padding + b
            inside = 0 <= y < over.image[1] and 0 <= x < over.image[2]
            if inside and (not pooled or i == o):
                found.append((place(over.map, o, r, c), place(over.image, i, y, x), (o, i, a, b)))
    return found


def laid(synapse, kernel, bias=None):
    """A kernel as the weights of all pairs of units, (post, pre)."""
    over = synapse.windows
    shape = (int(np.prod(over.map)), int(np.prod(over.image)))
    grid = np.zeros(shape, kernel.dtype)
    for p, q, weight in connections(over, False):
        grid[p, q] = kernel[weight]
    if synapse.backwards:
        return grid.T
    if not synapse.bias:
        return grid
    column = np.repeat(np.reshape(bias, -1), over.map[1] * over.map[2])
    return np.column_stack([grid, column])


def there(synapse):
    """Which pairs of units are joined."""
    bias = np.ones(synapse.windows.map[0]) if synapse.bias else None
    return laid(synapse, np.ones(synapse.windows.kernel), bias) != 0


def gathered(synapse, each):
    """Numbers of all pairs, summed over those that share a weight: of the kernel, of the bias."""
    over, total = synapse.windows, np.zeros(synapse.windows.kernel, each.dtype)
    forward = each.T if synapse.backwards else each
    for p, q, weight in connections(over, False):
        total[weight] += forward[p, q]
    last = forward[:, -1].reshape(over.map[0], -1).sum(1) if synapse.bias else None
    return total, last


def pooled(synapse, sent, values):
    """What a pooling brings, (sample, unit); `values`: of which the transpose of one asks."""
    over, size = synapse.windows, synapse.windows.size
    seen = {}
    for p, q, _ in connections(over, True):
        seen.setdefault(p, []).append(q)
    out = np.zeros((len(sent), int(np.prod(over.image if synapse.backwards else over.map))))
    for b, (p, units) in ((b, item) for b in range(len(sent)) for item in seen.items()):
        units = sorted(units)  # in the order of rows, then columns
        if not synapse.backwards:
            found = [sent[b, q] for q in units]
            out[b, p] = max(found) if synapse.pool == "max" else sum(found) / size**2
        elif synapse.pool == "mean":
            out[b, units] = sent[b, p] / size**2
        else:
            out[b, max(units, key=lambda q: values[b, q])] = sent[b, p]
    return out
