"""A third server: Go, a map under a lock, the oss profile, written from the contract's pages alone.

It shares neither code nor language with the other two, and what can be planted in it is what a server of this API was
found to do wrong (`defects.py`). It keeps nothing over a restart. `python -m tests.third_server.build` builds it,
`hosting.py` runs and judges it.
"""
