"""The store conformance suite: proves of any store that it keeps the contract. Start reading at `check.py`."""
