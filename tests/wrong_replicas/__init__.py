"""Servers that are right, or nearly so, as long as nothing fails, and that the nemesis must catch, by their sin."""
