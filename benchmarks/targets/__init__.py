"""Benchmarks of any server of the API, side by side: the same loads, in turns, in one run."""
