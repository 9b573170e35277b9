"""What comes out: recordings, labelled arrays, files, manifests, checkpoints, plots."""

from __future__ import annotations

from .manifest import manifest as manifest
from .recording_budget import BudgetError as BudgetError, check_budget as check_budget
from .traces import Traces as Traces

__all__ = ["BudgetError", "Traces", "check_budget", "manifest"]
