"""Binding: what each name of a file means; families become members."""
