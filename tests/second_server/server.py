"""The gRPC face of the second server: one table of methods, one handler around them all."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from protos.ai.stigmer.agentic.agent.v1 import command_pb2 as _agent_command  # noqa: F401 - registers
from protos.ai.stigmer.agentic.agent.v1 import query_pb2 as _agent_query  # noqa: F401 - registers
from protos.ai.stigmer.agentic.agentinstance.v1 import command_pb2 as _instance_command  # noqa: F401 - registers
from protos.ai.stigmer.agentic.agentinstance.v1 import query_pb2 as _instance_query  # noqa: F401 - registers
from protos.ai.stigmer.agentic.agentinstance.v1.io_pb2 import AgentInstanceList
from protos.ai.stigmer.agentic.environment.v1 import command_pb2 as _environment_command  # noqa: F401 - registers
from protos.ai.stigmer.agentic.environment.v1 import query_pb2 as _environment_query  # noqa: F401 - registers
from protos.ai.stigmer.commons.apiresource.enum_pb2 import identity_account
from protos.ai.stigmer.iam.iampolicy.v1 import command_pb2 as _policy_command  # noqa: F401 - registers
from protos.ai.stigmer.iam.iampolicy.v1 import query_pb2 as _policy_query  # noqa: F401 - registers
from protos.parity.v1.event_pb2 import CloudEvent, WatchResponse
from protos.parity.v1.list_pb2 import ListAgentInstancesResponse, ListAgentsResponse, ListEnvironmentsResponse
from tests.second_server.access import OPERATOR_LINK, Access
from tests.second_server.defects import CHOICES, DEFECTS, RACES
from tests.second_server.policies import Policies
from tests.second_server.resources import Resources
from tests.second_server.state import Refused, State

MESSAGE_BYTES_MAX = 10 * 1024 * 1024
REFLECTION = "grpc.reflection.v1.ServerReflection"
"""Under its newer name alone; the reference server knows both."""
PAGE_DEFAULT, PAGE_MAX = 20, 100
LIST_DEFAULT = 100
STATUS_CHARACTERS_MAX = 1000
LATE_SECONDS = 5.0
LARGE = 256 * 1024
"""The suite's short deadlines are all under this; its ordinary ones are far over."""
Handler = Callable[[Any, str], Any]


class Service:
    """The methods of all services, as `handler(request, caller)`."""

    def __init__(self, state: State, access: Access) -> None:
        self.state = state
        self.access = access
        self.resources = Resources(state, access)
        self.policies = Policies(state, access, self.resources)

    def table(self) -> dict[str, dict[str, Handler]]:
        """Full service name to method name to handler."""
        services = {
            **self._kind("agent", "ai.stigmer.agentic.agent.v1.Agent", "value", "can_delete"),
            **self._kind("agent_instance", "ai.stigmer.agentic.agentinstance.v1.AgentInstance", "value", "can_delete"),
            **self._kind("environment", "ai.stigmer.agentic.environment.v1.Environment", "resource_id", "can_edit"),
            "parity.v1.ListService": {
                "ListAgents": self._lister("agent", ListAgentsResponse),
                "ListAgentInstances": self._lister("agent_instance", ListAgentInstancesResponse),
                "ListEnvironments": self._lister("environment", ListEnvironmentsResponse),
            },
        }
        services["ai.stigmer.agentic.agentinstance.v1.AgentInstanceQueryController"]["getByAgent"] = self.by_agent
        if self.state.cloud:
            services["ai.stigmer.iam.iampolicy.v1.IamPolicyCommandController"] = {
                "create": self.policies.create,
                "delete": self.policies.delete,
                "createPlatformLink": partial(self.policies.bootstrap, what="create platform link"),
                "bootstrapPolicy": self.policies.bootstrap,
                "cleanupResourcePolicies": self.policies.cleanup,
            }
            services["ai.stigmer.iam.iampolicy.v1.IamPolicyQueryController"] = {
                "get": self.policies.get,
                "checkAuthorization": self.policies.check,
                "listAuthorizedResourceIds": self.policies.resource_ids,
                "listAuthorizedPrincipalIds": self.policies.principal_ids,
            }
        return services

    def _kind(self, kind: str, stem: str, id_field: str, permission: str) -> dict[str, dict[str, Handler]]:
        rows = self.resources

        def delete(request: Any, caller: str) -> Any:
            self.state.validate(request)
            return rows.delete(kind, getattr(request, id_field), permission, caller)

        return {
            f"{stem}CommandController": {
                "create": lambda request, caller: rows.create(kind, request, caller),
                "update": lambda request, caller: rows.update(kind, request, caller),
                "apply": lambda request, caller: rows.apply(kind, request, caller),
                "delete": delete,
            },
            f"{stem}QueryController": {
                "get": lambda request, caller: rows.get(kind, request, caller),
                "getByReference": lambda request, caller: rows.get_by_reference(kind, request, caller),
            },
        }

    def _visible(self, kind: str, caller: str) -> list[Any]:
        everybodys = {identity_account} if self.state.has("own_scope_listed") else set()
        return [
            row
            for row in self.state.resources[kind].values()
            if row.metadata.owner_scope in everybodys or self.access.allows(caller, "can_view", kind, row.metadata.id)
        ]

    def _lister(self, kind: str, response: Any) -> Handler:
        def list_page(request: Any, caller: str) -> Any:
            self.state.validate(request)
            size = request.page.size or LIST_DEFAULT
            rows = [row for row in self._visible(kind, caller) if request.org in ("", row.metadata.org)]
            after = request.page.page_token
            if after:
                # Ids of one server are ULIDs or the client's own, so the token counts resources ever seen instead.
                order = list(self._ordinals(kind))
                ended = self.state.page_ends.get(after, "")
                anew = self.state.has("list_begins_anew") and ended not in self.state.resources[kind]
                rows = [row for row in rows if anew or order.index(row.metadata.id) >= int(after)]
                rows = rows[1:] if self.state.has("page_boundary_skipped") else rows
            page = response(items=[self.resources.shown(row) for row in rows[:size]])
            if len(rows) > size:
                page.next_page_token = str(list(self._ordinals(kind)).index(rows[size].metadata.id))
                self.state.page_ends[page.next_page_token] = rows[size - 1].metadata.id
            return page

        return list_page

    def _ordinals(self, kind: str) -> Iterator[str]:
        """Every id that was ever listed, in order of creation: deletions don't move the others."""
        known = self.state.ordinals.setdefault(kind, {})
        for resource_id in self.state.resources[kind]:
            known.setdefault(resource_id, None)
        return iter(known)

    def by_agent(self, request: Any, caller: str) -> Any:
        """One page of an agent's instances."""
        self.state.validate(request)
        rows = [row for row in self._visible("agent_instance", caller) if row.spec.agent_id == request.agent_id]
        default, most = (10, 1000) if self.state.has("pages_of_ten") else (PAGE_DEFAULT, PAGE_MAX)
        size = min(request.page_info.size or default, most)
        start = (max(request.page_info.num, 1) - 1) * size
        page = rows[start : start + size]
        total = len(page) if self.state.has("total_is_page") else len(rows)
        return AgentInstanceList(total_count=total, items=[self.resources.shown(row) for row in page])

    # events

    def _is_of_an_account(self, kind: str, resource_id: str) -> bool:
        resource = self.state.resources[kind].get(resource_id)
        return resource is not None and resource.metadata.owner_scope == identity_account

    def watch(self, request: Any, context: grpc.ServicerContext) -> Iterator[WatchResponse]:
        """A bookmark, then every event that the caller may see."""
        planted = self.state.has
        caller = self._watcher(context)
        with self.state.lock:
            behind = len(self.state.events)
            position = behind if request.from_now else request.after_position
        if planted("watch_resumes_never") and not request.from_now:
            context.abort(grpc.StatusCode.OUT_OF_RANGE, "the events after this position are gone")
        told: set[str] = set()
        hidden: set[str] = set()
        yield WatchResponse(position=position)
        position += planted("watch_resumes_late") and not request.from_now
        position -= planted("watch_subject_repeats") and bool(request.subject and request.after_position)
        while context.is_active():
            with self.state.changed:
                while len(self.state.events) <= position and context.is_active() and not self.state.stopping:
                    self.state.changed.wait(0.1)
                if self.state.stopping:
                    return
                fresh = list(enumerate(self.state.events[position:], start=position + 1))
            for number, event in fresh:
                position = number
                kind = "agent" if ".agent.v1." in event.type else event.subject.partition("-")[0]
                known = {"agent": "agent", "ain": "agent_instance", "env": "environment"}.get(kind, "agent")
                wanted = request.subject in ("", event.subject) or planted("watch_ignores_subject")
                seen = planted("watch_shows_all") or self.access.allows(caller, "can_view", known, event.subject)
                seen |= planted("watch_remembers") and event.subject in told
                seen |= planted("watch_trusts_creator") and self._made_by(known, event.subject) == caller
                seen |= planted("own_scope_told") and self._is_of_an_account(known, event.subject)
                hidden |= set() if seen else {event.subject}
                seen &= not (planted("watch_refuses_for_good") and event.subject in hidden)
                seen &= not (planted("watch_drops_large") and event.ByteSize() > LARGE)
                if planted("backlog_gap") and number <= behind and number % 32 == 0:
                    continue
                if planted("backlog_chunk") and number <= behind and (number - request.after_position) % 257 == 0:
                    continue
                if wanted and seen:
                    told.add(event.subject)
                    shown = self._as_now(known, event) if planted("events_of_now") else event
                    yield WatchResponse(position=number, event=shown)

    def _watcher(self, context: grpc.ServicerContext) -> str:
        try:
            return self.access.caller(context)
        except Refused as refused:
            if not self.state.has("watch_anonymous"):
                context.abort(refused.code, refused.message)
        return next(iter(self.access.tokens.values()))

    def _made_by(self, kind: str, resource_id: str) -> str:
        resource = self.state.resources[kind].get(resource_id)
        return "" if resource is None else resource.status.audit.spec_audit.created_by.id

    def _as_now(self, kind: str, event: CloudEvent) -> CloudEvent:
        """An event with the resource as it is by now, where it is still there."""
        resource, shown = self.state.resources[kind].get(event.subject), CloudEvent()
        shown.CopyFrom(event)
        if resource is not None and not event.type.endswith(".deleted"):
            shown.data.Pack(self.resources.shown(resource))
        return shown


def _handler(service: Service, path: str, handler: Handler) -> grpc.RpcMethodHandler[Any, Any]:
    method = Default().FindMethodByName(path)

    def call(request: Any, context: grpc.ServicerContext) -> Any:
        if request is _JUNK:
            return GetMessageClass(method.output_type)()
        try:
            caller = service.access.caller(context) if not _invalid_first(service, request) else ""
            with service.state.transaction():
                answer = handler(request, caller)
        except Refused as refused:
            _refuse(context, refused, whole=service.state.has("long_status"))
            raise
        if service.state.has("late_half") and context.time_remaining() < LATE_SECONDS:
            service.state.drop_instances_of(answer)
        return answer

    return grpc.unary_unary_rpc_method_handler(
        call,
        request_deserializer=_parser(service, GetMessageClass(method.input_type)),
        response_serializer=GetMessageClass(method.output_type).SerializeToString,
    )


def _parser(service: Service, message: Any) -> Callable[[bytes], Any]:
    """Parse a request; gRPC answers INTERNAL to what doesn't parse."""
    if not service.state.has("junk_accepted"):
        parse: Callable[[bytes], Any] = message.FromString
        return parse

    def lenient(data: bytes) -> Any:
        try:
            return message.FromString(data)
        except DecodeError:
            return _JUNK

    return lenient


_JUNK = object()
"""Stands for a request that can't be parsed; gRPC refuses None by itself."""


class _AnyMethod(grpc.GenericRpcHandler):  # type: ignore[type-arg] # generic in the stubs only
    """Answers whatever nobody else answers."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        del handler_call_details
        return grpc.unary_unary_rpc_method_handler(lambda request, context: b"")


def _invalid_first(service: Service, request: Any) -> bool:
    """Validation comes before the caller is known: an invalid request needs no caller to be refused."""
    try:
        service.state.validate(request)
    except Refused:
        return True
    return False


def _refuse(context: grpc.ServicerContext, refused: Refused, *, whole: bool) -> None:
    """End a call. A client takes 8 KiB of status, so a long refusal is cut, but for the defect that doesn't."""
    message = refused.message if whole else refused.message[:STATUS_CHARACTERS_MAX]
    if refused.bad_request is not None and (whole or refused.bad_request.ByteSize() < STATUS_CHARACTERS_MAX):
        detail = AnyMessage()
        detail.Pack(refused.bad_request)
        status = Status(code=refused.code.value[0], message=message, details=[detail])
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(refused.code, message)


@dataclass(frozen=True)
class RunningServer:
    """A started server: its address, its state for a look behind the scenes, and how to end it."""

    address: str
    state: State
    server: grpc.Server

    def stop(self) -> None:
        """End at once; open watches end too."""
        with self.state.changed:
            self.state.stopping = True
            self.state.changed.notify_all()
        self.server.stop(grace=0).wait(5)


def start(
    profile: str, tokens: Mapping[str, str], operator: str = "", *, defects: frozenset[str] = frozenset(), port: int = 0
) -> RunningServer:
    """Start on a loopback port (0: any free one). `tokens` maps a token to an identity. Raises ValueError for a defect
    or a choice that doesn't exist.
    """
    if unknown := defects - DEFECTS.keys() - CHOICES.keys() - RACES.keys():
        raise ValueError(f"neither defects nor choices nor races: {', '.join(sorted(unknown))}")
    state = State(profile, defects)
    access = Access(state, tokens)
    service = Service(state, access)
    if operator:
        service.resources.write_policy("identity_account", operator, *OPERATOR_LINK, by="system")
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=32, thread_name_prefix="second-server"),
        options=(
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
        ),
    )
    _add_services(server, service)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return RunningServer(f"127.0.0.1:{bound}", state, server)


def _add_services(server: grpc.Server, service: Service) -> None:
    table = service.table()
    for name, methods in table.items():
        handlers = {method: _handler(service, f"{name}.{method}", handler) for method, handler in methods.items()}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
    if service.state.cloud:
        method = Default().FindMethodByName("parity.v1.EventService.Watch")
        watch = grpc.unary_stream_rpc_method_handler(
            service.watch,
            request_deserializer=GetMessageClass(method.input_type).FromString,
            response_serializer=WatchResponse.SerializeToString,
        )
        handler = grpc.method_handlers_generic_handler("parity.v1.EventService", {"Watch": watch})
        server.add_generic_rpc_handlers((handler,))
    checker = health.HealthServicer()
    healthy = not service.state.has("not_serving")
    status = health_pb2.HealthCheckResponse.SERVING if healthy else health_pb2.HealthCheckResponse.NOT_SERVING
    checker.set("", status)
    health_pb2_grpc.add_HealthServicer_to_server(checker, server)
    named = () if service.state.has("reflection_silent") else tuple(table)
    servicer = reflection.ReflectionServicer((*named, health.SERVICE_NAME, REFLECTION))
    info = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(REFLECTION, {"ServerReflectionInfo": info}),))
    if service.state.has("unknown_method_ok"):
        server.add_generic_rpc_handlers((_AnyMethod(),))


def main() -> None:
    """Run until killed: `python -m tests.second_server.server --port 0 --profile oss`."""
    parser = argparse.ArgumentParser(description="A second agent server, for the conformance suite's own tests.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--profile", choices=("cloud", "oss"), default="oss")
    parser.add_argument("--journal", default="", help="a file that keeps agents, and nothing else, over a restart")
    parser.add_argument("--defect", action="append", default=[], choices=sorted(DEFECTS | CHOICES))
    arguments = parser.parse_args()
    roles = ("operator", "org_admin", "org_member", "other_org_member", "nobody")
    tokens = {f"token-{role}": f"ida-{role}" for role in roles}
    running = start(arguments.profile, tokens, "ida-operator", defects=frozenset(arguments.defect), port=arguments.port)
    if arguments.journal:
        running.state.keep_agents_in(Path(arguments.journal))
    print(running.address, flush=True)  # noqa: T201 - a command line prints
    threading.Event().wait()


if __name__ == "__main__":
    main()
