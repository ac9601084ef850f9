"""Programs that benchmarks start as fresh processes.

`startup` and `memory` import nothing of this room: what they import is what is measured.
"""
