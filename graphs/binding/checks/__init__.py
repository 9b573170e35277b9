"""Checks of a whole file, once its names are known: what contradicts itself, or is a slip."""
