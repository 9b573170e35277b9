"""The numba engine: one generated module per Program."""
