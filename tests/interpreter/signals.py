"""Signals: which row of a stream with a time axis is read, in exact fractions of time.

A held row is that of the step's start, floor(elapsed / every), of fractions: no tolerance. Between
rows the value is read at the time of the moment. A phase without steps reads what stood.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import numpy as np


def fraction(number):
    """0.1 as it was meant: 1/10."""
    return Fraction(number).limit_denominator(10**6)


class Signals:
    """The rows of one presentation; `began` is the time of the clock at its start."""

    def __init__(self, moment, began):
        self.moment, self.began = moment, began
        self.elapsed, self.steps = Fraction(0), 0
        self.rows = dict.fromkeys(moment.circuit.signals, 0)

    def every(self, name):
        every = self.moment.circuit.signals[name].every
        return None if every is None else fraction(float(self.moment.value(every)))

    def step(self):
        """A step begins."""
        for name in self.rows:
            every = self.every(name)
            self.rows[name] = self.steps if every is None else floor(self.elapsed / every)
        self.moment.changed()

    def taken(self, dt):
        """A step is over; its record and rules read the row that it began in."""
        self.elapsed, self.steps = self.elapsed + fraction(dt), self.steps + 1

    def value(self, name):
        """(sample, unit) now."""
        array = self.moment.streams[name]
        if not self.moment.circuit.signals[name].linear:
            return array[:, self.rows[name]]
        position = (self.moment.counters["t"] - self.began) / float(self.every(name))
        last = array.shape[1] - 1
        points = np.arange(last + 1)
        rows = array.transpose(1, 0, 2).reshape(last + 1, -1)
        at = [np.interp(position, points, column) for column in rows.T]
        return np.array(at).reshape(array.shape[0], array.shape[2])

    def predict(self, first=False):
        """What each signal of `predicts` is thought to be: the last word on a row counts."""
        moment = self.moment
        for name, variable in moment.circuit.predicts.items():
            signal = moment.circuit.signals.get(name)
            if signal is None or (first and not signal.linear):
                continue
            row = self.rows[name]
            if signal.linear:
                row = ceil(self.elapsed / self.every(name))
            value = np.array(moment.variable(variable.population, variable.name))
            moment.told_rows.setdefault(name, {})[row] = value
