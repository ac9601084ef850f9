"""One file per key-value engine: the only importers of drivers. Each translates its driver's errors."""
