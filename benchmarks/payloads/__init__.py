"""Payloads: agents to store, from a corpus of real ones or from a seeded generator of the same sizes."""
