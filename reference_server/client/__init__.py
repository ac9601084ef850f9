"""A client for any server of the contract: the `parity agent|instance|environment` commands.

Knows the wire contract only, nothing of the reference server.
"""
