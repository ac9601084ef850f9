"""Each fast path can be left out, and all of them at once: the server answers the same."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reference_server import fast
from reference_server.bootstrap import build
from reference_server.config import ServerConfig
from stores.contract import Store
from stores.memory import MemoryStore

ROOT = Path(__file__).parents[2]
FILES = sorted(path.name for path in (ROOT / "reference_server" / "fast").glob("*.py") if path.stem != "__init__")

SCENE = """
import asyncio, sys
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from reference_server import fast
from reference_server.authorization.model import Caller, Ref
from reference_server.authorization.policies import grant
from reference_server.bootstrap import build
from reference_server.config import ServerConfig
from reference_server.unit_of_work import UnitOfWork
from stores.memory import MemoryStore

assert fast.__file__.startswith(sys.argv[1]), fast.__file__
store = MemoryStore()
application = build(ServerConfig(profile="cloud"), store)
ada, work = Caller("ada"), UnitOfWork(store)
grant(work, application.context.clock, ada, Ref("platform", "stigmer"), ((ada.ref, "operator"),))
store.commit(work.batch())
agent = Agent(api_version="agentic.stigmer.ai/v1", kind="Agent")
agent.metadata.name, agent.metadata.org, agent.metadata.owner_scope = "Test", "acme", 2
agent.spec.instructions = "You help with tests."

def call(name, request):
    data, early = request.SerializeToString(), application.context.early_answers.get(name, lambda data, caller: None)
    operation = application.context.operations[name]
    answer = early(data, ada) or asyncio.run(application.executor.execute(operation, data, ada))
    return operation.response_type.FromString(answer)

made = call("agent-create", agent)
for _ in range(2):
    assert call("agent-get", AgentId(value=made.metadata.id)) == made
print(store.count("iam_policy"), store.count("event"))
"""


@pytest.fixture
def store() -> Store:
    return MemoryStore()


def test_the_table_of_layers_names_every_file() -> None:
    assert sorted(f"{name}.py" for name in fast.LAYERS) == FILES


@pytest.mark.parametrize("missing", FILES)
def test_each_file_can_be_deleted_alone(missing: str, tmp_path: Path) -> None:
    for room in ("protos", "stores", "reference_server"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("tests", "__pycache__", "badger"))
    (tmp_path / "reference_server" / "fast" / missing).unlink()
    scene = [sys.executable, "-c", SCENE, str(tmp_path)]
    done = subprocess.run(scene, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["6", "2"]


def test_off_leaves_the_plain_server(store: Store) -> None:
    plain = build(ServerConfig(profile="cloud", fast_paths=False), store).context
    assert not plain.early_answers
    assert not plain.observers
    used = {step.run for operation in plain.operations.values() for step in operation.steps}
    assert not [run for run in used if getattr(run, "__module__", "").startswith("reference_server.fast")]
    quick = build(ServerConfig(profile="cloud"), store).context
    assert quick.early_answers
    assert {operation: [step.name for step in each.steps] for operation, each in quick.operations.items()} == {
        operation: [step.name for step in each.steps] for operation, each in plain.operations.items()
    }
