"""Commit agents one by one and mark the beginning and each acknowledgement in this process's own system calls."""

import sys

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization
from stores.contract import Put
from stores.registry import open_store
from stores.suite.syncs import ACKNOWLEDGED_FD, BEGIN_FD, mark


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
