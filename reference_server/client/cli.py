"""The commands `parity agent`, `parity instance` and `parity environment`.

The first parameter of each function is the session; `connected` makes commands of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

import typer
from google.protobuf.message import Message

from reference_server.client import drafts
from reference_server.client.documents import read_resources
from reference_server.client.failures import BadInput
from reference_server.client.kinds import AGENT, ENVIRONMENT, INSTANCE, Kind
from reference_server.client.resources import Resources, instances_of
from reference_server.client.session import Session, connected

Given = TypeVar("Given")

NewSlug = Annotated[str, typer.Argument(metavar="SLUG", help="The new resource's slug: its name in commands.")]
Existing = Annotated[str, typer.Argument(metavar="SLUG_OR_ID", help="Which one.")]
MaybeExisting = Annotated[str, typer.Argument(metavar="SLUG_OR_ID", help="Which one.")]
Several = Annotated[list[str], typer.Argument(metavar="SLUG_OR_ID...", help="Which ones.")]
Org = Annotated[str, typer.Option("--org", envvar="PARITY_ORG", help="The organization that it belongs to.")]
File = Annotated[str, typer.Option("--file", "-f", help="YAML or JSON that describes it; - reads standard input.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Show so many at most.")]
Name = Annotated[str, typer.Option("--name", help="What people call it.")]
Description = Annotated[str | None, typer.Option("--description", help="What it is for.")]
Instructions = Annotated[str, typer.Option("--instructions", help="What the agent is told; at least 10 characters.")]
IconUrl = Annotated[str | None, typer.Option("--icon-url", help="Where its picture is.")]
AgentOf = Annotated[str, typer.Option("--agent", metavar="SLUG_OR_ID", help="The agent that it belongs to.")]
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
        _each(session, session.resources.create, read_resources(file, AGENT))
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
) -> None:
    """Change an agent: what the options name, or all of it from a file."""
    if _from_file(reference, file):
        _each(session, session.resources.update, read_resources(file, AGENT))
        return
    agent = session.resources.find(reference, org)
    drafts.rename(agent, name)
    drafts.describe(agent.spec, instructions=instructions or None, description=description, icon_url=icon_url)
    session.show([session.resources.update(agent)], one=True)


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
        _each(session, session.resources.create, read_resources(file, INSTANCE))
        return
    if not agent:
        raise BadInput("an instance belongs to an agent", hint="Name it: --agent SLUG_OR_ID.")
    parent = Resources(session.resources.server, AGENT).find(agent, org)
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
) -> None:
    """Change an instance: what the options name, or all of it from a file."""
    if _from_file(reference, file):
        _each(session, session.resources.update, read_resources(file, INSTANCE))
        return
    instance = session.resources.find(reference, org)
    drafts.rename(instance, name)
    drafts.describe(instance.spec, description=description)
    session.show([session.resources.update(instance)], one=True)


def list_instances(session: Session, agent: AgentOf = "", org: Org = "", limit: Limit = None) -> None:
    """List instances, in order of creation; with --agent, those of one agent."""
    if not agent:
        _list(session, org, limit)
        return
    server = session.resources.server
    parent = Resources(server, AGENT).find(agent, org)
    session.show(instances_of(server, parent.metadata.id, limit))


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
        _each(session, session.resources.create, read_resources(file, ENVIRONMENT))
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
) -> None:
    """Change an environment: what the options name, or all of it from a file."""
    if _from_file(reference, file):
        _each(session, session.resources.update, read_resources(file, ENVIRONMENT))
        return
    environment = session.resources.find(reference, org)
    drafts.rename(environment, name)
    drafts.describe(environment.spec, description=description)
    drafts.change_values(environment.spec, values or (), secrets or (), unset or ())
    session.show([session.resources.update(environment)], one=True)


def _apply(
    session: Session, file: Annotated[str, typer.Option("--file", "-f", help="YAML or JSON; - is stdin.")]
) -> None:
    """Create what a file describes, or update what is there under its slug or id."""
    _each(session, session.resources.apply, read_resources(file, session.resources.kind))


def _get(session: Session, reference: Existing, org: Org = "") -> None:
    """Show one, by slug or id; -o yaml shows all of it."""
    session.show([session.resources.find(reference, org)], one=True)


def _list(session: Session, org: Org = "", limit: Limit = None) -> None:
    """List what you may view, in order of creation."""
    session.show(session.resources.list(org, limit))


def _delete(session: Session, references: Several, org: Org = "") -> None:
    """Delete, by slug or id; prints what was deleted."""
    found = [session.resources.find(reference, org) for reference in references]
    _each(session, session.resources.delete, [resource.metadata.id for resource in found])


def _each(session: Session, operation: Callable[[Given], Message], given: Sequence[Given]) -> None:
    """Do it for each in turn. What was done is shown even if the next one fails."""
    done: list[Message] = []
    try:
        for item in given:
            done.append(operation(item))  # noqa: PERF401 - a comprehension would lose what was done before a failure
    finally:
        if done:
            session.show(done, one=len(given) == 1)


def _from_file(reference: str, file: str) -> bool:
    """Whether a file says it all. Raises BadInput unless exactly one of reference and file is given."""
    if bool(reference) == bool(file):
        given = "both a name and a file were given" if file else "nothing says which one"
        raise BadInput(given, hint="Give a slug and options, or -f FILE.")
    return bool(file)


def _group(kind: Kind, words: str, **own: object) -> typer.Typer:
    group = typer.Typer(no_args_is_help=True, add_completion=False, help=f"Create, read, change and delete {words}.")
    commands = {"create": None, "get": _get, "list": _list, "apply": _apply, "update": None, "delete": _delete} | own
    for name, command in commands.items():
        if not callable(command):
            raise TypeError(f"{words}: no function for {name}")
        group.command(name)(connected(kind, command))
    return group


agent = _group(AGENT, "agents", create=create_agent, update=update_agent)
instance = _group(INSTANCE, "agent instances", create=create_instance, update=update_instance, list=list_instances)
environment = _group(ENVIRONMENT, "environments", create=create_environment, update=update_environment)
