"""The conformance suite: judges any server of the agent API from outside."""
