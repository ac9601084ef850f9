"""OpenFGA for tests: its build, a server of a test's own, a stub that answers badly, drawn policies and questions."""
