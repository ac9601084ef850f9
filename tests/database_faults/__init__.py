"""Several servers over one PostgreSQL that fails: it is killed, fails over, is cut off or full, or a clock is wrong."""
