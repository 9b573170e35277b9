"""Models: what papers say about circuits, and the tasks and metrics that they share."""

from . import metrics, tasks as tasks

__all__ = ["metrics", "tasks"]
