"""Builds the Go program of `program/` into the user's cache: `python -m tests.third_server.build`."""

from __future__ import annotations

from pathlib import Path

from protos.ai.stigmer.agentic.agent.v1 import command_pb2 as agent_command
from protos.ai.stigmer.agentic.agent.v1 import query_pb2 as agent_query
from protos.ai.stigmer.agentic.agentinstance.v1 import command_pb2 as instance_command
from protos.ai.stigmer.agentic.agentinstance.v1 import query_pb2 as instance_query
from protos.ai.stigmer.agentic.environment.v1 import command_pb2 as environment_command
from protos.ai.stigmer.agentic.environment.v1 import query_pb2 as environment_query
from protos.go_code import generator_request
from protos.parity.v1 import list_pb2
from stores.go_build import GoBuild

MODULE = "parity/tests/third_server"
SOURCES = Path(__file__).parent / "program"
SERVED = (
    agent_command,
    agent_query,
    instance_command,
    instance_query,
    environment_command,
    environment_query,
    list_pb2,
)


def program() -> GoBuild:
    """Return how the program is built: with the services' messages, and the rules of validation in them."""
    return GoBuild(
        name="third-server",
        summary="the third server",
        command="python -m tests.third_server.build",
        sources=SOURCES,
        file="third-server",
        go_version="1.24",
        needs_compiler=False,
        messages=generator_request([module.DESCRIPTOR for module in SERVED], MODULE, options=True),
        generators=(
            "google.golang.org/protobuf/cmd/protoc-gen-go",
            "google.golang.org/grpc/cmd/protoc-gen-go-grpc",
        ),
    )


if __name__ == "__main__":
    program().main()
