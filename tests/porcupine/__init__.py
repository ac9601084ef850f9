"""Porcupine as a second opinion on histories (github.com/anishathalye/porcupine): a small Go program, and its build."""
