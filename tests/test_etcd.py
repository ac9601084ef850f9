"""Why there is no store over etcd: the decision counts what the server writes, and its limits are those of etcd."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.etcd.__main__ import INSTANCES, main
from tests.etcd.nodes import PROGRAM
from tests.etcd.shapes import shapes

DECISION = Path(__file__).parent.parent / "docs" / "adr" / "0023-no-store-over-etcd.md"


def test_the_decision_counts_what_the_server_writes(tmp_path: Path) -> None:
    text = DECISION.read_text(encoding="utf-8")
    for what, shape in shapes(tmp_path, INSTANCES).items():
        line = f"{what}: {shape.operations} operations, {shape.comparisons} comparisons, {shape.shared} keys of all"
        assert line in text, f"{line}: python -m tests.etcd"


@pytest.mark.full
@pytest.mark.timeout(300)
@pytest.mark.skipif(PROGRAM is None, reason="etcd isn't on this machine: apt-get install etcd-server")
def test_the_limits_are_those_of_the_decision(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0
    said = capsys.readouterr().out
    for line in ("a value of 1.4 MiB: taken", "a value of 10.0 MiB: refused", "128 operations: taken"):
        assert line in said
    assert "129 operations: refused (etcdserver: too many operations in txn request)" in said
    assert "the leader was killed: no write was taken for " in said
