"""gRPC on one side, operations on the other."""
