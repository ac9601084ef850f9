"""What a PostgreSQL URL may say to libpq; needs no driver."""

LIBPQ_OPTIONS = (
    "host",
    "port",
    "user",
    "dbname",
    "service",
    "passfile",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "target_session_attrs",
    "connect_timeout",
    "application_name",
)
"""Options of a PostgreSQL URL that are libpq's own, as its documentation has them. There is none for a password."""
