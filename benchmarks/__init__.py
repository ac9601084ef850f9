"""Benchmarks: what a choice of store is worth, and a verdict for each claim."""
