"""The commands `parity agent`, `parity instance` and `parity environment`, and `apply`, `delete`, `diff` for any kind.

The first parameter of each function is the session; `connected` makes commands of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any

import typer
from google.protobuf.message import Message

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agentinstance.v1.api_pb2 import AgentInstance
from protos.ai.stigmer.agentic.environment.v1.api_pb2 import Environment
from reference_server.client import drafts, verbs
from reference_server.client.applying import replace
from reference_server.client.changes import change
from reference_server.client.completion import agents
from reference_server.client.describing import describe
from reference_server.client.editing import diff, edit
from reference_server.client.failures import BadInput
from reference_server.client.files import Found, resources_in
from reference_server.client.kinds import AGENT, ENVIRONMENT, INSTANCE, Kind
from reference_server.client.resources import instances_of
from reference_server.client.session import Session, connected
from reference_server.client.verbs import Force, IgnoreNotFound, Labels, Limit, MaybeSeveral, Org, Recursive, Watching
from reference_server.client.waiting import wait

NewSlug = Annotated[str, typer.Argument(metavar="SLUG", help="The new resource's slug: its name in commands.")]
MaybeExisting = Annotated[str, typer.Argument(metavar="SLUG_OR_ID", help="Which one.")]
File = Annotated[str, typer.Option("--file", "-f", help="YAML or JSON that describes it; - reads standard input.")]
Name = Annotated[str, typer.Option("--name", help="What people call it.")]
Description = Annotated[str | None, typer.Option("--description", help="What it is for.")]
Instructions = Annotated[str, typer.Option("--instructions", help="What the agent is told; at least 10 characters.")]
IconUrl = Annotated[str | None, typer.Option("--icon-url", help="Where its picture is.")]
AgentOf = Annotated[
    str,
    typer.Option("--agent", metavar="SLUG_OR_ID", help="The agent that it belongs to.", autocompletion=agents),
]
Plain = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set a value (repeatable).")]
Secret = Annotated[
    list[str] | None,
    typer.Option("--secret", metavar="KEY[=VALUE]", help="Set a secret; without VALUE, that of the variable KEY."),
]
Unset = Annotated[list[str] | None, typer.Option("--unset", metavar="KEY", help="Remove a value (repeatable).")]


def create_agent(
    session: Session,
    slug: NewSlug = "",
    name: Name = "",
    instructions: Instructions = "",
    description: Description = None,
    icon_url: IconUrl = None,
    org: Org = "",
    file: File = "",
) -> None:
    """Create an agent, from options or from a file."""
    if _from_file(slug, file):
        _create_from(session, file)
        return
    agent = drafts.new_agent(slug, name, org, instructions)
    drafts.describe(agent.spec, description=description, icon_url=icon_url)
    session.show([session.resources.create(agent)], one=True)


def update_agent(
    session: Session,
    reference: MaybeExisting = "",
    name: Name = "",
    instructions: Instructions = "",
    description: Description = None,
    icon_url: IconUrl = None,
    org: Org = "",
    file: File = "",
    force: Force = False,
) -> None:
    """Change an agent: what the options name, or all of it from a file."""
    if _from_file(reference, file):
        _update_from(session, file, force=force)
        return

    def alter(agent: Agent) -> None:
        drafts.rename(agent, name)
        drafts.describe(agent.spec, instructions=instructions or None, description=description, icon_url=icon_url)

    session.show([change(session.resources, reference, org, alter)], one=True)


def create_instance(
    session: Session,
    slug: NewSlug = "",
    agent: AgentOf = "",
    name: Name = "",
    description: Description = None,
    org: Org = "",
    file: File = "",
) -> None:
    """Create an instance of an agent, from options or from a file."""
    if _from_file(slug, file):
        _create_from(session, file)
        return
    if not agent:
        raise BadInput("an instance belongs to an agent", hint="Name it: --agent SLUG_OR_ID.")
    parent = session.of(AGENT).find(agent, org)
    instance = drafts.new_instance(slug, name, parent)
    drafts.describe(instance.spec, description=description)
    session.show([session.resources.create(instance)], one=True)


def update_instance(
    session: Session,
    reference: MaybeExisting = "",
    name: Name = "",
    description: Description = None,
    org: Org = "",
    file: File = "",
    force: Force = False,
) -> None:
    """Change an instance: what the options name, or all of it from a file."""
    if _from_file(reference, file):
        _update_from(session, file, force=force)
        return

    def alter(instance: AgentInstance) -> None:
        drafts.rename(instance, name)
        drafts.describe(instance.spec, description=description)

    session.show([change(session.resources, reference, org, alter)], one=True)


def get_instances(
    session: Session,
    names: MaybeSeveral = None,
    agent: AgentOf = "",
    org: Org = "",
    labels: Labels = "",
    limit: Limit = None,
    watch: Watching = False,
    ignore_not_found: IgnoreNotFound = False,
) -> None:
    """Show instances by slug or id; without names, list them, with --agent those of one agent."""
    if agent and names:
        raise BadInput("names say already which ones", hint="Leave --agent out, or the names.")
    parent = session.of(AGENT).find(agent, org).metadata.id if agent else ""

    def of_agent(_session: Session, _org: str, limit: int | None) -> Iterable[Any]:
        return instances_of(session.server, parent, limit)

    verbs.get(
        session,
        names or (),
        org,
        labels,
        limit,
        watching=watch,
        ignore_not_found=ignore_not_found,
        lister=of_agent if parent else verbs.list_of_kind,
        belongs=lambda one: parent in {"", one.spec.agent_id},
    )


def create_environment(
    session: Session,
    slug: NewSlug = "",
    name: Name = "",
    description: Description = None,
    values: Plain = None,
    secrets: Secret = None,
    org: Org = "",
    file: File = "",
) -> None:
    """Create an environment, from options or from a file."""
    if _from_file(slug, file):
        _create_from(session, file)
        return
    environment = drafts.new_environment(slug, name, org)
    drafts.describe(environment.spec, description=description)
    drafts.change_values(environment.spec, values or (), secrets or (), ())
    session.show([session.resources.create(environment)], one=True)


def update_environment(
    session: Session,
    reference: MaybeExisting = "",
    name: Name = "",
    description: Description = None,
    values: Plain = None,
    secrets: Secret = None,
    unset: Unset = None,
    org: Org = "",
    file: File = "",
    force: Force = False,
) -> None:
    """Change an environment: what the options name, or all of it from a file."""
    if _from_file(reference, file):
        _update_from(session, file, force=force)
        return

    def alter(environment: Environment) -> None:
        drafts.rename(environment, name)
        drafts.describe(environment.spec, description=description)
        drafts.change_values(environment.spec, values or (), secrets or (), unset or ())

    session.show([change(session.resources, reference, org, alter)], one=True)


def _get(
    session: Session,
    names: MaybeSeveral = None,
    org: Org = "",
    labels: Labels = "",
    limit: Limit = None,
    watch: Watching = False,
    ignore_not_found: IgnoreNotFound = False,
) -> None:
    """Show by slug or id; without names, list what you may view, in order of creation. -o yaml shows all of it."""
    verbs.get(session, names or (), org, labels, limit, watching=watch, ignore_not_found=ignore_not_found)


def _delete(
    session: Session,
    names: MaybeSeveral = None,
    file: verbs.Files = None,
    org: Org = "",
    labels: Labels = "",
    everything: Annotated[bool, typer.Option("--all", help="All that you may view; asks first.")] = False,
    recursive: Recursive = False,
    ignore_not_found: IgnoreNotFound = False,
    yes: verbs.Yes = False,
) -> None:
    """Delete by slug or id, by file, by label, or all; says which a line."""
    verbs.delete(
        session,
        names or (),
        file or (),
        org,
        labels,
        everything=everything,
        recursive=recursive,
        ignore_not_found=ignore_not_found,
        yes=yes,
    )


def _create_from(session: Session, file: str) -> None:
    _shown(session, resources_in([file], session.kind), session.resources.create)


def _update_from(session: Session, file: str, *, force: bool) -> None:
    def update(wanted: Message) -> Message:
        updated: Message = replace(session.resources, wanted, force=force)
        return updated

    _shown(session, resources_in([file], session.kind), update)


def _shown(session: Session, found: Sequence[Found], operation: Callable[[Message], Message]) -> None:
    """Do it for each in turn and show what came of it, also when it fails for some."""
    done: list[Message] = []
    try:
        verbs.each(session, found, lambda one: done.append(operation(one.resource)))
    finally:
        if done:
            session.show(done, one=len(found) == 1)


def _from_file(reference: str, file: str) -> bool:
    """Whether a file says it all. Raises BadInput unless exactly one of reference and file is given."""
    if bool(reference) == bool(file):
        given = "both a name and a file were given" if file else "nothing says which one"
        raise BadInput(given, hint="Give a slug and options, or -f FILE.")
    return bool(file)


_SHARED: dict[str, Callable[..., None]] = {
    "apply": verbs.apply,
    "delete": _delete,
    "describe": describe,
    "edit": edit,
    "diff": diff,
    "wait": wait,
}
_PRINT_TEXT = frozenset({"describe", "diff", "wait"})
"""These print no resources, so there is no -o."""


def _group(kind: Kind, words: str, own: dict[str, Callable[..., None]]) -> typer.Typer:
    group = typer.Typer(no_args_is_help=True, add_completion=False, help=f"Create, read, change and delete {words}.")
    get = own.get("get", _get)
    commands: dict[str, Callable[..., None]] = {
        "create": own["create"],
        "get": get,
        "list": get,
        "update": own["update"],
        **_SHARED,
    }
    for name, command in commands.items():
        group.command(name)(connected(command, kind, prints=name not in _PRINT_TEXT))
    return group


agent = _group(AGENT, "agents", {"create": create_agent, "update": update_agent})
instance = _group(
    INSTANCE, "agent instances", {"create": create_instance, "update": update_instance, "get": get_instances}
)
environment = _group(ENVIRONMENT, "environments", {"create": create_environment, "update": update_environment})
apply = connected(verbs.apply)
delete = connected(verbs.delete_files)
difference = connected(diff, prints=False)
