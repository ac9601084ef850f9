"""Tests that cross rooms, and the servers that they need."""
