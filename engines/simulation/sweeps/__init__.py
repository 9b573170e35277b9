"""Sweeps: points of a grid, what is done at each, here or elsewhere, and the table of results."""
