"""Reports: pure renderers over the evidence of conformance and benchmark runs."""
