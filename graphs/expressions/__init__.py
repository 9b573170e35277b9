"""Expressions: grammar, parser, trees, derivatives, and back to text."""
