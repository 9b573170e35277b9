"""Checkpoints: a simulator as a file, and back; nothing is taken that does not fit."""
