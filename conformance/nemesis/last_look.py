"""The last look of a nemesis run: when nobody writes any more, what is there, and is it whole?

All of it goes into the history as reads, so that the judge of the history judges it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from conformance import samples
from conformance.evidence import Json
from conformance.methods import METHODS, Proto
from conformance.nemesis.client import LIST_SIZE, Client, shown
from conformance.nemesis.grants import may
from conformance.nemesis.keys import Key
from conformance.nemesis.watcher import Watcher, in_background
from conformance.session import Session

_QUIET_SECONDS = 0.5


def last_look(clients: Sequence[Client], session: Session, replay: Watcher | None, event_seconds: float) -> None:
    """Read every resource through every address, look whether it is whole, and read all events again."""
    time.sleep(_QUIET_SECONDS)
    first = clients[0]
    keys = list(first.keys.all.values())
    with ThreadPoolExecutor(len(clients), thread_name_prefix="nemesis-look") as pool:
        shares = [(client, keys[number :: len(clients)]) for number, client in enumerate(clients)]
        for done in [pool.submit(_look, client, session, share) for client, share in shares]:
            done.result()
    grants = first.grants
    if grants is not None:
        for one in grants.guarded:
            may(first, grants, one)
    if first.lists:
        first.list_all()
        _instances(first)
    if replay is not None:
        _read_events_again(first, replay, event_seconds)


def _look(client: Client, session: Session, keys: Sequence[Key]) -> None:
    for key in keys:
        for channel in client.channels:
            alone = client.through(channel)
            alone.find(key)
            alone.read(key)
            client.process = alone.process
        _look_whole(client, session, key)


def _look_whole(client: Client, session: Session, key: Key) -> None:
    """Write down what is missing of an agent that is there, unless it changes meanwhile."""
    reference = samples.reference(key.slug, client.org)
    before = client.ask("agent.by_reference", reference)
    if before.message is None:
        return
    client.history.write("invoke", client.process, "whole", key.slug)
    missing = [part for part, there in _parts(client, session, before.message) if not there]
    after = client.ask("agent.by_reference", reference)
    if after.message is not None and shown(after.message) == shown(before.message):
        value = {"id": before.message.metadata.id, "missing": missing}
        client.history.write("ok", client.process, "whole", key.slug, value)
    else:
        client.history.write("fail", client.process, "whole", key.slug, error="CHANGED")


def _parts(client: Client, session: Session, agent: Proto) -> Iterator[tuple[str, bool]]:
    """Yield each part that an agent must have, and whether it has it."""
    named, agent_id = agent.status.default_instance_id, agent.metadata.id
    instance = client.ask("instance.get", METHODS["instance.get"].request(value=named)) if named else None
    of_it = instance is not None and instance.message is not None and instance.message.spec.agent_id == agent_id
    yield "its default instance", of_it
    listed = client.ask("instance.by_agent", METHODS["instance.by_agent"].request(agent_id=agent_id))
    yield (
        "its default instance among those that getByAgent lists",
        listed.message is not None and named in {row.metadata.id for row in listed.message.items},
    )
    if session.cloud:
        owner = ("identity_account", session.context.identity(session.context.caller))
        yield "the policy of its owner", _holds(client, owner, "owner", ("agent", agent_id))
        parent = ("organization", client.org)
        yield "the policy of its organization", _holds(client, parent, "organization", ("agent", agent_id))
        link = _holds(client, ("agent", agent_id), "agent", ("agent_instance", named)) if named else False
        yield "the policy that links its default instance", link


def _holds(client: Client, principal: tuple[str, str], relation: str, resource: tuple[str, str]) -> bool:
    request = METHODS["policy.check"].request(policy=samples.policy(principal, relation, resource))
    answer = client.ask("policy.check", request)
    return answer.message is not None and bool(answer.message.is_authorized)


def _instances(client: Client) -> None:
    """Write down all instances of the run, with their agents."""
    client.history.write("invoke", client.process, "instances")
    guarded = {one.agent_id for one in client.grants.guarded} if client.grants is not None else set()
    rows, token = list[Json](), ""
    while True:
        request = METHODS["list.instances"].request(org=client.org)
        request.page.size, request.page.page_token = LIST_SIZE, token
        answer = client.ask("list.instances", request)
        if answer.message is None:
            client.history.write("info", client.process, "instances", error=answer.code)
            return
        own = [one for one in answer.message.items if one.spec.agent_id not in guarded]
        rows += [{"id": one.metadata.id, "agent": one.spec.agent_id} for one in own]
        token = answer.message.next_page_token
        if not token:
            client.history.write("ok", client.process, "instances", value=rows)
            return


def _read_events_again(client: Client, replay: Watcher, seconds: float) -> None:
    """Make a last change and read all events of the run up to its own: the channel has the order of the commits."""
    last = client.keys.last()
    client.create(last)
    thread = in_background(replay.run, "nemesis-replay")
    replay.wait_for(last.known_id, seconds + client.seconds)
    replay.stop()
    thread.join(client.seconds)
