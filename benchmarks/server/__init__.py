"""Benchmarks of servers: a load generator with headroom, a bare echo to compare with, and goals as ratios to it."""
