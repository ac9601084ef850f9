"""A store in SQLite tables."""
