"""Rules as matrix products: factors, terms, traces, optimizers, compensated sums."""
