"""The reference agent server: all the steps of every operation, as pipelines over one store."""
