"""The suite on a server that strangers have filled: answers longer than any other are judged whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from conformance import samples
from conformance.evidence import large_path, read_evidence
from conformance.methods import METHODS, Proto
from conformance.rejudge import judge_run
from conformance.runner import Options, run
from conformance.verdict import EVIDENCE_FILE, Verdict
from tests.mutants.hosting import CREDENTIALS, identity, reference

STRANGERS = 300
ORG, OTHER_ORG = "acme", "globex"
MEMBERSHIPS = (("org_admin", "admin", ORG), ("org_member", "member", ORG), ("other_org_member", "member", OTHER_ORG))
OPTIONS = Options(
    profile="cloud",
    only=("LST-VISIBLE", "LST-KIND", "SEND-LIST", "RED-LIST"),
    quick=True,
    credentials=replace(CREDENTIALS, organization=ORG, other_organization=OTHER_ORG),
)


@contextmanager
def full_server() -> Iterator[str]:
    """The reference with agents of strangers in the very organization that the suite is to use."""
    with reference("cloud") as address, grpc.insecure_channel(address) as channel:
        token = (("authorization", f"Bearer {CREDENTIALS.roles['operator'].token}"),)

        def call(name: str, request: Proto) -> None:
            method = METHODS[name]
            send = channel.unary_unary(method.path, method.request.SerializeToString, method.response.FromString)
            send(request, metadata=token, timeout=10)

        for role, relation, org in MEMBERSHIPS:
            call("policy.create", samples.policy(("identity_account", identity(role)), relation, ("organization", org)))
        for number in range(STRANGERS):
            call("agent.create", samples.full_agent(f"stranger-{number}", ORG))
        yield address


def verdicts(address: str, out: Path) -> dict[str, Verdict]:
    report = run(f"grpc://{address}", OPTIONS, out=out)
    again = judge_run(read_evidence(out / EVIDENCE_FILE))
    assert {row.id: row.verdict for row in again.results} == {row.id: row.verdict for row in report.results}
    return {row.id: row.verdict for row in report.results}


def test_a_right_server_passes_though_its_lists_are_long(tmp_path: Path) -> None:
    with full_server() as address:
        found = verdicts(address, tmp_path)
    assert set(found.values()) == {Verdict.PASS}, found
    assert large_path(tmp_path / EVIDENCE_FILE).exists(), "no answer was long"


def test_a_secret_in_a_long_list_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reference_server.steps.list_resources.redacted", lambda kind, resource: resource)
    with full_server() as address:
        assert verdicts(address, tmp_path)["RED-LIST"] is Verdict.FAIL
