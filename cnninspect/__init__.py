"""Inspect and analyse neural networks."""
