"""Valid requests: the smallest and the fullest of each kind. Names and organizations come from the caller."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from google.protobuf.message import Message

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.spec_pb2 import DockerServer, HttpServer, StdioServer, SubAgent
from protos.ai.stigmer.agentic.agentinstance.v1.api_pb2 import AgentInstance
from protos.ai.stigmer.agentic.environment.v1.api_pb2 import Environment
from protos.ai.stigmer.agentic.environment.v1.spec_pb2 import EnvironmentValue
from protos.ai.stigmer.commons.apiresource.apiresourcekind.api_resource_kind_pb2 import ApiResourceKind, skill
from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization, platform
from protos.ai.stigmer.commons.apiresource.io_pb2 import ApiResourceReference
from protos.ai.stigmer.iam.iampolicy.v1.spec_pb2 import IamPolicySpec

API_VERSION = "agentic.stigmer.ai/v1"
ENVIRONMENT_REF_KIND = ApiResourceKind.Name(52)
"""What the wire contract's rule `environment_refs.kind` asks for: number 52, though `environment` itself is 53."""
SECRET_NAME, PLAIN_NAME = "API_TOKEN", "REGION"
MANY = 130
"""More than a page, or a limit of a hundred, holds."""
_INT32_MAX, _LONG_BYTES = 2**31 - 1, 300 * 1024
REDACTED = "***"
"""What stands for a secret value in every answer of the cloud profile."""


ODD_SECRETS = {
    "EMPTY_SECRET": "",
    "BLANK_SECRET": " ",
    "SECRET_OF_LINES": "first\nsecond",
    "STARS_FOR_A_SECRET": "****",
    "LONG_SECRET": "long " * 200,
}
"""By name, the values of secrets that a server may take for none."""


def agent(name: str, org: str, *, resource_id: str = "", slug: str = "") -> Agent:
    """Return the smallest valid agent: organization scope, or platform scope where `org` is empty."""
    made = Agent(api_version=API_VERSION, kind="Agent")
    made.metadata.name = name
    made.metadata.id = resource_id
    made.metadata.slug = slug
    made.metadata.org = org
    made.metadata.owner_scope = organization if org else platform
    made.spec.description = "An agent of a conformance run."
    made.spec.instructions = "Response in one short sentence."
    return made


def full_agent(name: str, org: str, *, resource_id: str = "", slug: str = "") -> Agent:
    """Return a valid agent with every field of the schema set, so that nothing can be lost unseen."""
    made = agent(name, org, resource_id=resource_id, slug=slug)
    made.metadata.labels.update({"team": "conformance", "empty": ""})
    made.metadata.annotations["note"] = "línea 1\nline 2\t☃"
    made.metadata.tags.extend(["b", "a", "b"])
    made.metadata.version.id = "v1"
    made.metadata.version.message = "first"
    made.metadata.version.previous_version_id = "v0"
    made.spec.icon_url = "https://example.invalid/icon.svg"
    _add_servers(made)
    made.spec.skill_refs.append(_skill(org))
    sub = made.spec.sub_agents.add(name="helper", description="d", instructions="Help where it is asked.")
    sub.mcp_servers.append("files")
    sub.mcp_tool_selections["files"].enabled_tools.extend(["read", "write"])
    sub.skill_refs.append(_skill(org))
    made.spec.env_spec.CopyFrom(environment(name, org).spec)
    return made


def edge_agent(name: str, org: str) -> Agent:
    """Return a valid agent with what a storage layer may take for nothing, for the same, or for too much.

    Empty texts and messages, blanks around, and letters in two parts, in every map and list, keys too; long texts.
    """
    made = full_agent(name, org)
    parts = "Cafe\u0301"
    made.metadata.labels.update({parts: f" {parts} ", " blanks ": "", "Case": "1", "case": "2"})
    made.metadata.annotations.update({"empty": "", parts: parts})
    _lengthen(made)
    made.metadata.tags.extend([" a ", "A", "", parts])
    files, web, box = made.spec.mcp_servers
    files.enabled_tools.extend([" write ", "Read", "read", ""])
    files.stdio.args.extend(["", " --x ", "-e", "A=1", "-e", "B=2"])
    files.stdio.env_placeholders.update({parts: "", " blanks ": " "})
    web.http.headers.update({parts: "", "X-Blanks": " x "})
    web.http.query_params.update({parts: "", " q ": " "})
    web.http.timeout_seconds = _INT32_MAX
    box.docker.ports.add(host_port=_INT32_MAX, container_port=1)
    box.docker.args.extend(["", " x ", "-v", "/a", "-v", "/b"])
    box.docker.env_placeholders[parts] = ""
    sub = made.spec.sub_agents[0]
    sub.mcp_tool_selections["web"].SetInParent()
    sub.mcp_tool_selections["files"].enabled_tools.extend([" x ", ""])
    made.spec.env_spec.data[parts].value = f" {parts} "
    made.spec.env_spec.data["EMPTY"].value = ""
    return made


def many_agent(name: str, org: str) -> Agent:
    """Return a valid agent with more than a hundred in every list and map, in no order and some of them twice."""
    made = full_agent(name, org)
    words = [f"w{number * 67 % MANY}" for number in range(MANY)] + ["w0", "w1"]
    made.metadata.tags.extend(words)
    made.metadata.labels.update(dict.fromkeys(words, "x"))
    made.metadata.annotations.update(dict.fromkeys(words, "x"))
    files, web, box = made.spec.mcp_servers
    web.http.timeout_seconds = -_INT32_MAX - 1
    for of_texts in (files.enabled_tools, files.stdio.args, box.docker.args, web.enabled_tools):
        of_texts.extend(words)
    for of_pairs in (
        files.stdio.env_placeholders,
        web.http.headers,
        web.http.query_params,
        box.docker.env_placeholders,
    ):
        of_pairs.update(dict.fromkeys(words, "x"))
    sub = made.spec.sub_agents[0]
    sub.mcp_servers.extend(words)
    for word in words:
        made.spec.mcp_servers.add(name=word).stdio.command = word
        made.spec.skill_refs.append(_skill(org, word))
        sub.skill_refs.append(_skill(org, word))
        made.spec.sub_agents.add(name=word, instructions="Help where it is asked.")
        made.spec.env_spec.data[word].value = word
        sub.mcp_tool_selections[word].enabled_tools.append(word)
        box.docker.volumes.add(host_path=f"/{word}", container_path="/c")
        box.docker.ports.add(host_port=8080, container_port=80 + len(box.docker.ports), protocol="tcp")
    sub.mcp_tool_selections["files"].enabled_tools.extend(words)
    return made


def hollow(full: Message) -> Any:  # noqa: ANN401 - a resource of the same kind
    """Return a full resource with the same things in it by name, and nothing in them; what was secret is so no more."""
    made: Any = type(full)()
    made.CopyFrom(full)
    values = made.spec
    if isinstance(made, Agent):
        files, web, box = made.spec.mcp_servers
        del files.enabled_tools[:]
        files.stdio.CopyFrom(StdioServer(command=files.stdio.command))
        web.http.CopyFrom(HttpServer(url=web.http.url))
        box.docker.CopyFrom(DockerServer(image=box.docker.image))
        sub = made.spec.sub_agents[0]
        sub.CopyFrom(SubAgent(name=sub.name, instructions=sub.instructions))
        sub.mcp_tool_selections["files"].SetInParent()
        made.spec.skill_refs[0].CopyFrom(ApiResourceReference(kind=skill, slug="search"))
        values = made.spec.env_spec
    if isinstance(made, AgentInstance):
        made.spec.environment_refs[0].CopyFrom(ApiResourceReference(kind=ENVIRONMENT_REF_KIND, slug="production"))
        return made
    values.data[PLAIN_NAME].CopyFrom(EnvironmentValue())
    values.data[SECRET_NAME].CopyFrom(EnvironmentValue(value="told to all"))
    return made


def many_references(name: str, org: str, agent_id: str) -> AgentInstance:
    """Return a valid instance with long texts, and with references in no order, one of them twice."""
    made = instance(name, org, agent_id)
    _lengthen(made)
    for slug in [f"w{number * 67 % MANY}" for number in range(MANY)] + ["w0"]:
        made.spec.environment_refs.add(scope=organization, org=org, kind=ENVIRONMENT_REF_KIND, slug=slug)
    return made


def _lengthen(made: Any) -> None:  # noqa: ANN401 - any resource
    """Make texts longer than a limit that another system has for them; a request may have 10 MiB."""
    text = "0123456789abcdef" * (_LONG_BYTES // 16)
    made.metadata.labels["long"] = made.metadata.annotations["long"] = made.spec.description = text


def edge_environment(name: str, org: str) -> Environment:
    """Return a valid environment with the same in its keys and values, and with long texts."""
    made, parts = environment(name, org), "Cafe\u0301"
    _lengthen(made)
    made.spec.data["long"].value = made.spec.description
    made.metadata.annotations.update({"empty": "", parts: parts})
    for key, value in ((parts, f" {parts} "), (" blanks ", " "), ("EMPTY", ""), ("empty", "x")):
        made.spec.data[key].value = value
    return made


def _add_servers(made: Agent) -> None:
    files = made.spec.mcp_servers.add(name="files", enabled_tools=["read"])
    files.stdio.command = "file-server"
    files.stdio.args.extend(["--root", "/data"])
    files.stdio.env_placeholders["TOKEN"] = "${API_TOKEN}"  # noqa: S105 - a placeholder's name
    files.stdio.working_dir = "/data"
    web = made.spec.mcp_servers.add(name="web").http
    web.url = "https://example.invalid/mcp"
    web.headers["accept"] = "application/json"
    web.query_params["q"] = "1"
    web.timeout_seconds = 30
    box = made.spec.mcp_servers.add(name="box").docker
    box.image = "example/box:1"
    box.args.append("run")
    box.env_placeholders["REGION"] = "${REGION}"
    box.volumes.add(host_path="/h", container_path="/c", read_only=True)
    box.network = "none"
    box.ports.add(host_port=8080, container_port=80, protocol="tcp")
    box.container_name = "box"


def _skill(org: str, slug: str = "search") -> ApiResourceReference:
    return ApiResourceReference(scope=organization, org=org, kind=skill, slug=slug, version="latest")


def instance(name: str, org: str, agent_id: str, *, resource_id: str = "", slug: str = "") -> AgentInstance:
    """Return a valid agent instance with every field set."""
    made = AgentInstance(api_version=API_VERSION, kind="AgentInstance")
    made.metadata.name = name
    made.metadata.id = resource_id
    made.metadata.slug = slug
    made.metadata.org = org
    made.metadata.owner_scope = organization if org else platform
    made.spec.agent_id = agent_id
    made.spec.description = "An instance of a conformance run."
    made.spec.environment_refs.add(scope=organization, org=org, kind=ENVIRONMENT_REF_KIND, slug="production")
    return made


def environment(name: str, org: str, *, resource_id: str = "", slug: str = "") -> Environment:
    """Return a valid environment with one plain and one secret value; the secret is as unique as the name."""
    made = Environment(api_version=API_VERSION, kind="Environment")
    made.metadata.name = name
    made.metadata.id = resource_id
    made.metadata.slug = slug
    made.metadata.org = org
    made.metadata.owner_scope = organization
    made.spec.description = "An environment of a conformance run."
    plain = made.spec.data[PLAIN_NAME]
    plain.value, plain.description = "north", "where it runs"
    secret = made.spec.data[SECRET_NAME]
    secret.value, secret.is_secret = secret_value(name), True
    return made


def secret_value(name: str) -> str:
    """The secret that goes with a name: unique, so that finding it anywhere else is a leak of it."""
    return f"canary-{name}"


def add_odd_secrets(values: MutableMapping[str, EnvironmentValue]) -> None:
    """Add secrets beside the ordinary one that show what a server looks at before it hides a value."""
    for name, value in ODD_SECRETS.items():
        values[name].value, values[name].is_secret = value, True


def policy(principal: tuple[str, ...], relation: str, resource: tuple[str, str]) -> IamPolicySpec:
    """Return a policy: (kind, id) of the principal, with a third part where it is a set; the relation; the resource."""
    made = IamPolicySpec(relation=relation)
    made.principal.kind, made.principal.id, made.principal.relation = (*principal, "")[:3]
    made.resource.kind, made.resource.id = resource
    return made


def reference(slug: str, org: str = "") -> ApiResourceReference:
    """Return a reference by slug, narrowed to an organization where one is given."""
    return ApiResourceReference(slug=slug, org=org)
