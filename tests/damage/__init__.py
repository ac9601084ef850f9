"""Databases of 50 agents, damaged in every way that has a name, and opened: whole or refused, never less.

`python -m tests.damage` runs the matrix and prints its size and outcomes; `tests/test_damage.py` holds it.
"""
