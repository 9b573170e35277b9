"""Phases: what is done on entering, in each step and on leaving, and what time it is."""
