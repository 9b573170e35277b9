"""The workloads by name: `WORKLOADS["w1a"]`."""

from __future__ import annotations

from . import separation, training, w1, w2, w3, w4
from .workload import Workload as Workload

WORKLOADS = (
    w1.WORKLOADS
    | w2.WORKLOADS
    | w3.WORKLOADS
    | w4.WORKLOADS
    | training.WORKLOADS
    | separation.WORKLOADS
)
