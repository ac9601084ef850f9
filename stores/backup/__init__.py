"""Backup files: what a store held at one moment, and what changed since; and the way back into a store."""
