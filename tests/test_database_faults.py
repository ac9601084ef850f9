"""Several servers over a PostgreSQL that fails: nothing that was acknowledged is lost, nothing is done twice."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from conformance.nemesis.faults import FAULTS
from conformance.nemesis.judge import SENTENCES, NemesisReport
from conformance.nemesis.run import VERDICT_FILE
from conformance.verdict import EXIT_CONFORMANT, EXIT_NOT_CONFORMANT, Verdict
from stores.registry import scheme_of, unavailable
from tests import postgresql
from tests.database_faults.namespaces import missing
from tests.database_faults.scene import play
from tests.database_faults.scenes import CONTROL, SCENES

if reason := unavailable(scheme_of("postgresql")) or postgresql.missing():
    pytest.skip(str(reason), allow_module_level=True)

ROOT = Path(__file__).resolve().parent.parent
SECONDS, LONG_SECONDS = 3.0, 60.0
RIGHT = [name for name in SCENES if name != CONTROL]
BY_THIS_PROCESS = [name for name in RIGHT if not SCENES[name].namespace]
IN_A_NAMESPACE = [name for name in RIGHT if SCENES[name].namespace]


def played(name: str, seconds: float, seed: int, folder: Path, replicas: int = 2) -> NemesisReport:
    with SCENES[name].set(replicas) as scene:
        return play(scene, seconds, seed, folder)


def assert_right(report: NemesisReport) -> None:
    assert {row.id: (row.problems, row.reason) for row in report.rows if row.verdict is not Verdict.PASS} == {}
    assert report.exit_code == EXIT_CONFORMANT


def did(report: NemesisReport) -> dict[str, int]:
    (bite,) = report.bites
    return dict(bite.did)


def test_the_guide_names_every_scene_fault_and_rule() -> None:
    text = (ROOT / "docs" / "guides" / "under-faults.md").read_text(encoding="utf-8")
    scenes = text.partition("| scene | what happens |")[2].partition("\n\n")[0]
    assert [name for name in SCENES if f"| {name} | " not in scenes] == []
    assert [name for name in FAULTS if f"| `{name}` | " not in text] == []
    assert [rule for rule in SENTENCES if rule not in text] == []


def test_a_database_that_is_killed_in_the_middle_of_commits(tmp_path: Path) -> None:
    report = played("kill-database", SECONDS, 1, tmp_path)
    assert_right(report)
    assert did(report)["kills"] == did(report)["restarts"] > 0


def test_a_synchronous_standby_that_takes_over_has_all_that_was_acknowledged(tmp_path: Path) -> None:
    report = played("fail-over", SECONDS, 1, tmp_path)
    assert_right(report)
    assert did(report)["promotions"] > 0


def test_what_an_asynchronous_standby_loses_is_found_and_named(tmp_path: Path) -> None:
    """The control: were this found right, the others would say nothing."""
    report = played(CONTROL, SECONDS, 1, tmp_path)
    assert report.exit_code == EXIT_NOT_CONFORMANT
    assert {"NEM-LINEAR", "NEM-EVENT-LOST"} <= set(report.failing())
    assert any("→ OK" in problem for problem in report.of("NEM-EVENT-LOST").problems), "what was acknowledged is named"
    assert report.of("NEM-FAULTS").verdict is Verdict.PASS


def test_a_server_that_is_cut_off_from_the_database(tmp_path: Path) -> None:
    report = played("partition", SECONDS, 1, tmp_path)
    assert_right(report)
    assert did(report)["bytes dropped"] > 0


@pytest.mark.full
@pytest.mark.timeout(400)
@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.parametrize("name", BY_THIS_PROCESS)
def test_long(name: str, replicas: int, tmp_path: Path) -> None:
    if replicas == 1 and name != "all":
        pytest.skip("one server is tormented by all faults together")
    assert_right(played(name, LONG_SECONDS, replicas, tmp_path, replicas))


@pytest.mark.full
@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", IN_A_NAMESPACE)
def test_in_a_namespace(name: str, tmp_path: Path) -> None:
    if why := missing(SCENES[name].namespace):
        pytest.skip(why)
    words = ["-m", "tests.database_faults", name, "--seconds", str(LONG_SECONDS), "--folder", str(tmp_path)]
    done = subprocess.run([sys.executable, *words], check=False, capture_output=True, text=True, timeout=390)
    assert done.returncode == EXIT_CONFORMANT, f"{shlex.join(words)}:\n{done.stdout}{done.stderr}"
    assert orjson.loads((tmp_path / "out" / VERDICT_FILE).read_bytes())["failing"] == []
