"""Stores: one contract, several engines and codecs behind it. Start reading at `contract.py`."""
