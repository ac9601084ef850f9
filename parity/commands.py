"""The commands of `parity`: one line each. A room's module is imported when its command is called, not before."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CommandRow:
    """One command: `attribute` of `module` is a typer application, or a function to make a command of."""

    name: str
    module: str
    attribute: str
    summary: str


COMMANDS: tuple[CommandRow, ...] = (
    CommandRow("verify", "parity.verify_cli", "verify", "Prove the stores and the server, judge the claims, report."),
    CommandRow("serve", "reference_server.cli", "serve", "Run the reference server over a store."),
    CommandRow("conform", "parity.conform_cli", "conform", "Judge a server, or a store behind the reference server."),
    CommandRow("upgrade", "conformance.upgrade_cli", "upgrade", "Try an upgrade from one build to another, and back."),
    CommandRow("recheck", "conformance.cli", "recheck", "Judge the stored evidence of a run again, offline."),
    CommandRow("diagnose", "conformance.diagnose_cli", "diagnose", "Name the probable causes of a run's failures."),
    CommandRow("wire", "conformance.wire_cli", "wire", "Say whether a server speaks the contract's messages."),
    CommandRow(
        "requirements", "parity.requirements_cli", "requirements", "Name the requirements; one with an example."
    ),
    CommandRow("protoset", "conformance.protoset_cli", "protoset", "Write the contract as a file for grpcurl."),
    CommandRow("stores", "stores.cli", "app", "List and check stores; back up, restore, copy."),
    CommandRow(
        "authorizer", "parity.authorizer_cli", "app", "OpenFGA as authorizer: the model, its installation, drift."
    ),
    CommandRow("doctor", "parity.doctor_cli", "doctor", "Say what this machine lacks for which feature."),
    CommandRow("backup", "parity.backup_cli", "backup", "Take a backup of a server that runs."),
    CommandRow("restore", "parity.backup_cli", "restore", "Make a database of a backup and its increments."),
    CommandRow("bench", "parity.bench_cli", "app", "Measure stores and servers; judge the claims."),
    CommandRow("choose", "parity.choose_cli", "choose", "Measure the stores for one use and say which to take."),
    CommandRow("report", "parity.report_cli", "report", "Make the page of a run again, follow one, publish one."),
    CommandRow("compare", "reports.cli", "compare", "Say what changed from one run to another."),
    CommandRow("agent", "reference_server.client.cli", "agent", "Create, read, change and delete agents."),
    CommandRow("instance", "reference_server.client.cli", "instance", "The same for agent instances."),
    CommandRow("environment", "reference_server.client.cli", "environment", "The same for environments."),
    CommandRow("apply", "reference_server.client.cli", "apply", "Create or update what files of any kind describe."),
    CommandRow("delete", "reference_server.client.cli", "delete", "Delete what files of any kind describe."),
    CommandRow("diff", "reference_server.client.cli", "difference", "Show what applying files would change."),
    CommandRow("events", "reference_server.client.events_cli", "events", "Tell what was done; --watch goes on."),
    CommandRow("policy", "reference_server.client.policy_cli", "policy", "Grant, revoke, look up who may do what."),
    CommandRow("auth", "reference_server.client.policy_cli", "auth", "Ask what an account may do."),
    CommandRow("help", "parity.help_cli", "explain", "Explain a topic: stores, targets, profiles, exit-codes, …"),
    CommandRow("context", "reference_server.client.context_cli", "app", "Servers by name, and which one is used."),
)
