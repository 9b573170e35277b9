"""Lowering: from a Circuit and a protocol to a Program."""
