"""The `parity` command line: mounts one sub-command per room."""
