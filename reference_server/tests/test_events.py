"""The outbox beyond the watch: delivery to a sink, clearing, cursors."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from protos.ai.stigmer.commons.apiresource.enum_pb2 import identity_account
from protos.ai.stigmer.commons.apiresource.io_pb2 import ApiResourceDeleteInput
from protos.parity.v1.event_pb2 import CloudEvent, WatchRequest, WatchResponse
from reference_server.authorization.model import Caller, Ref, RelationTuple
from reference_server.background_tasks import BackgroundTasks
from reference_server.bootstrap import build, missing_policies
from reference_server.config import ServerConfig
from reference_server.errors import OutOfRange
from reference_server.events.relay import Delivery, FileSink, Relay
from reference_server.events.retention import clear_old_events
from reference_server.events.watch import Watcher
from reference_server.tests.conftest import Bench, agent, policy
from reference_server.tests.test_other_operations import environment
from stores.contract import Batch
from stores.group_commit import GroupCommitter
from stores.registry import open_store


class FailingSink:
    """Takes what it is given and then says that it couldn't."""

    name = "failing"

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def deliver(self, deliveries: Sequence[Delivery]) -> None:
        self.seen += [each.event.id for each in deliveries]
        if len(self.seen) <= len(deliveries):
            raise OSError("the sink is away")

    async def close(self) -> None:
        pass


def cleared(bench: Bench, keep: int, not_after: int) -> int:
    return asyncio.run(clear_old_events(bench.store, bench.application.queue, keep, not_after))


def test_events_reach_a_file_once_in_order_and_go_on_after_a_restart(cloud: Bench, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for number in range(2):
        created = cloud.call("agent-create", agent(f"Agent {number}"), "max")
        relay = Relay(cloud.store, cloud.application.queue, FileSink(path))
        assert asyncio.run(relay.advance()) == 2
        assert asyncio.run(relay.advance()) == 0
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert [line["type"].rsplit(".", 3)[-3] for line in lines] == ["agentinstance", "agent"] * 2
    assert lines[-1]["specversion"] == "1.0"
    assert Agent.FromString(base64.b64decode(lines[-1]["data_base64"])) == created


def test_what_a_sink_refused_comes_again(cloud: Bench) -> None:
    cloud.call("agent-create", agent(), "max")
    sink = FailingSink()
    relay = Relay(cloud.store, cloud.application.queue, sink)
    with pytest.raises(OSError, match="away"):
        asyncio.run(relay.advance())
    assert asyncio.run(relay.advance()) == 2
    assert sink.seen[:2] == sink.seen[2:]


def test_old_events_are_cleared_but_no_undelivered_one(cloud: Bench) -> None:
    for number in range(5):
        cloud.call("agent-create", agent(f"Agent {number}"), "max")
    positions = [record.position for record in cloud.store.scan("event")]
    assert cleared(cloud, keep=4, not_after=positions[2]) == 3
    assert cleared(cloud, keep=4, not_after=positions[-1]) == 3
    assert cleared(cloud, keep=4, not_after=positions[-1]) == 0
    assert [record.position for record in cloud.store.scan("event")] == positions[6:]


def test_a_watch_from_before_what_was_cleared_is_told(cloud: Bench) -> None:
    for number in range(3):
        cloud.call("agent-create", agent(f"Agent {number}"), "max")
    positions = [record.position for record in cloud.store.scan("event")]
    cleared(cloud, keep=2, not_after=positions[-1])
    application = cloud.application
    watcher = Watcher(cloud.store, application.queue, application.context.authorizer, Caller("max"))

    async def first(request: WatchRequest) -> WatchResponse:
        async for response in watcher.responses(request, lambda: False):
            return response
        raise AssertionError("the watch ended")

    with pytest.raises(OutOfRange, match="cleared"):
        asyncio.run(first(WatchRequest(after_position=positions[0])))
    assert asyncio.run(first(WatchRequest(after_position=positions[4]))).position == positions[4]


def test_background_tasks_do_all_of_it(cloud: Bench, tmp_path: Path) -> None:
    config = ServerConfig(profile="cloud", tokens="x", event_log=str(tmp_path / "log"), events_max=1)
    tasks = BackgroundTasks(config, cloud.application)
    cloud.call("agent-create", agent(), "max")
    assert not asyncio.run(tasks.clear_events()), "nothing is delivered yet"
    assert asyncio.run(tasks.deliver_events())
    assert asyncio.run(tasks.clear_events())
    assert cloud.store.count("event") == 1


def test_what_is_committed_while_an_event_is_taken_is_not_missed(cloud: Bench) -> None:
    application = cloud.application
    watcher = Watcher(cloud.store, application.queue, application.context.authorizer, Caller("max"))
    create = application.context.operations["agent-create"]

    async def commit(name: str) -> None:
        await cloud.executor.execute(create, agent(name).SerializeToString(), Caller("max"))

    async def watched() -> int:
        events = 0
        async with asyncio.timeout(10):
            async for response in watcher.responses(WatchRequest(from_now=True), lambda: False):
                if not response.HasField("event"):
                    await commit("First")
                    continue
                events += 1
                if events == 1:
                    await commit("While the first event is taken")
                if events == 4:
                    return events
        raise AssertionError("the watch ended")

    assert asyncio.run(watched()) == 4


def test_a_watch_of_one_resource_has_its_events_only(cloud: Bench) -> None:
    made = [cloud.call("agent-create", agent(f"Agent {number}"), "max") for number in range(3)]
    application = cloud.application
    watcher = Watcher(cloud.store, application.queue, application.context.authorizer, Caller("max"))
    request = WatchRequest(subject=made[1].metadata.id)

    async def watched() -> list[WatchResponse]:
        # Whoever takes the one event there is lets the watch end.
        seen: list[WatchResponse] = []
        async with asyncio.timeout(10):
            async for response in watcher.responses(request, lambda: len(seen) > 1):
                seen.append(response)
                application.queue.committer.wake()
        return seen

    bookmark, only = asyncio.run(watched())
    assert not bookmark.HasField("event")
    assert only.event.subject == made[1].metadata.id
    assert Agent.FromString(only.event.data.value) == made[1]


def told(bench: Bench, who: str) -> list[tuple[str, str]]:
    """What a watcher is told of all that has happened so far: subjects and changes."""
    application = bench.application
    watcher = Watcher(bench.store, application.queue, application.context.authorizer, Caller(who))
    seen: list[CloudEvent] = []

    async def watch() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                async for response in watcher.responses(WatchRequest(), lambda: False):
                    seen.append(response.event)  # noqa: PERF401 - the time limit ends it: what came by then is kept

    asyncio.run(watch())
    kept = [event for event in seen if event.subject.startswith(("agt", "env"))]
    return [(event.subject, event.type.rpartition(".")[2]) for event in kept]


def test_of_what_is_gone_its_organization_is_told_and_of_what_is_there_who_may_view_it(cloud: Bench) -> None:
    made = cloud.call("agent-create", agent(), "max")
    made_id = made.metadata.id
    assert told(cloud, "max") == [(made_id, "created")]
    cloud.call("iam-policy-delete", policy("identity_account:max", "owner", f"agent:{made_id}"), "root")
    cloud.call("iam-policy-delete", policy("identity_account:max", "member", "organization:acme"), "root")
    cloud.call("agent-update", made, "ada")
    assert told(cloud, "max") == [], "who made it may view it no longer"
    assert told(cloud, "ada") == [(made_id, "created"), (made_id, "updated")]
    cloud.call("agent-delete", AgentId(value=made_id), "ada")
    assert told(cloud, "max") == []
    assert told(cloud, "ada") == [(made_id, "created"), (made_id, "updated"), (made_id, "deleted")]


def test_of_what_was_an_account_s_own_and_is_gone_who_made_it_is_told(cloud: Bench) -> None:
    request = environment()
    request.metadata.org, request.metadata.owner_scope = "", identity_account
    made_id = cloud.call("environment-create", request, "max").metadata.id
    cloud.call("environment-delete", ApiResourceDeleteInput(resource_id=made_id), "max")
    assert told(cloud, "max") == [(made_id, "created"), (made_id, "deleted")]
    assert told(cloud, "ada") == []


def test_a_create_whose_caller_leaves_while_it_is_written_wakes_the_watchers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(f"sqlite:{tmp_path / 'db'}?durability=durable", create=True) as store:
        application = build(ServerConfig(profile="cloud"), store)
        create = application.context.operations["agent-create"]
        member = RelationTuple(Ref("identity_account", "max"), "member", Ref("organization", "acme"))
        store.commit(missing_policies(store, application.context.clock, [member]))
        begun, planned = asyncio.Event(), GroupCommitter._planned

        def tell(committer: GroupCommitter, batches: list[Batch]) -> Any:
            begun.set()
            return planned(committer, batches)

        monkeypatch.setattr(GroupCommitter, "_planned", tell)

        async def scene() -> None:
            committer = application.queue.committer
            before = committer.version
            call = application.executor.execute(create, agent().SerializeToString(), Caller("max"))
            leaving = asyncio.ensure_future(call)
            await begun.wait()
            leaving.cancel()
            async with asyncio.timeout(10):
                await committer.wait_beyond(before)
            assert leaving.cancelled()

        asyncio.run(scene())
        assert store.count("agent") == 1
        application.close()
