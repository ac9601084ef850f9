"""A store in the tables of a PostgreSQL database, which many processes may write at the same time."""
