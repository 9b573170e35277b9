"""Synapses: their ends, their weights, their plasticity."""
