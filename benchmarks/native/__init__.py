"""The store designs of the claims in the claims' own language: a Go program, its build, and its place in a run."""
