"""Commit agents one by one and mark the beginning and each acknowledgement in this process's own system calls.

The marks are fsync calls on file descriptors that can't exist: they change nothing, fail with EBADF, and stand in a
trace of sync calls exactly where they happened.
"""

import os
import sys
from contextlib import suppress

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization
from stores.contract import Put
from stores.registry import open_store

BEGIN_FD, ACKNOWLEDGED_FD = 999_983, 999_979


def mark(fd: int) -> None:
    """Leave a mark in the trace."""
    with suppress(OSError):
        os.fsync(fd)


def agent_of(number: int) -> Agent:
    """Return a small agent that is like no other."""
    agent = Agent(api_version="agentic.stigmer.ai/v1", kind="Agent")
    agent.metadata.id = f"agt-{number}"
    agent.metadata.slug = f"agent-{number}"
    agent.metadata.org = "org"
    agent.metadata.owner_scope = organization
    agent.spec.instructions = "Keep what was promised."
    return agent


def main(url: str, commits: int) -> None:
    """Commit and mark."""
    agents = [agent_of(number) for number in range(commits)]
    with open_store(url, create=True) as store:
        mark(BEGIN_FD)
        for agent in agents:
            store.commit([Put("agent", agent.metadata.id, agent, precondition="absent")])
            mark(ACKNOWLEDGED_FD)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
