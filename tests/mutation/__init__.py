"""Mutation testing of the reference's source, with the conformance suite as the test."""
