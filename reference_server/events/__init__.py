"""Events: the outbox in the store, and the watch that reads it."""
