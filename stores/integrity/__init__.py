"""Does a database hold together? Everything is read and compared: what `parity stores verify` prints and repairs."""
