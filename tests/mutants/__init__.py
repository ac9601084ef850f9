"""Deliberately wrong servers, named by their sin, made by wrapping the reference's pipelines; and the kill matrix."""
