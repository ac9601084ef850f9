"""A store over any ordered key-value engine."""
