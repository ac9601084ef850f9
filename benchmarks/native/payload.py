"""The payload file of the native program: for each agent four bytes of length (big endian) and its wire form."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent


def write_agents(path: Path, agents: Iterable[Agent]) -> None:
    """Write agents in their order."""
    with path.open("wb") as file:
        for agent in agents:
            data = agent.SerializeToString(deterministic=True)
            file.write(len(data).to_bytes(4, "big") + data)
