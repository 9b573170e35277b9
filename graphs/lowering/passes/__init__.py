"""Passes: what is done to a Program that stands: less copying, fewer products, fused loops."""
