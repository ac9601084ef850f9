"""The action's own step, run with what GitHub sets: exit code, summary, annotations, the comparison with a baseline."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from reports.annotations import render_annotations
from reports.brief import render_brief
from reports.read import read_run
from reports.tests import sample

SCREEN_LINES = 40
ROOT = Path(__file__).resolve().parents[1]


def judged(folder: Path, *defects: str, baseline: str = "", known: str = "") -> subprocess.CompletedProcess[str]:
    """Run the step of `action.yml` that judges, in a folder of its own."""
    action = YAML(typ="safe", pure=True).load((ROOT / "action.yml").read_text("utf-8"))
    (step,) = [one for one in action["runs"]["steps"] if "judge" in one.get("run", "")]
    planted = "".join(f" --defect {name}" for name in defects)
    given = {
        "TARGET": f"cmd:{sys.executable} -m tests.second_server.server --port {{port}}{planted}",
        "OPTIONS": "--quick --only DUP-* --no-rerun",
        "PROFILE": "oss",
        "CREDENTIALS": "",
        "KNOWN_FAILING": known,
        "PARITY_BASELINE": baseline,
        "PARITY_OUT": str(folder / "out"),
        "PARITY_PYTHON": "true",  # the set-up has tests of its own
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }
    assert set(step["env"]) <= set(given)
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=ROOT, env={**os.environ, **given}, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip


@pytest.mark.full
def test_new_failures_are_annotated_and_a_run_is_held_against_a_baseline(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    good = judged(tmp_path / "good")
    assert (good.returncode, "::error" in good.stdout) == (0, False), good.stdout + good.stderr
    (tmp_path / "bad").mkdir()
    bad = judged(tmp_path / "bad", "duplicate_answered_ok", baseline=str(tmp_path / "good" / "out"))
    assert bad.returncode == 1
    assert "::error title=DUP-SLUG::A create whose slug is taken" in bad.stdout
    summary = (tmp_path / "bad" / "summary.md").read_text("utf-8")
    at_once = re.sub(r"<details>.*?</details>", "", summary, flags=re.DOTALL)
    assert len(at_once.splitlines()) <= SCREEN_LINES
    assert "Not conformant" in at_once
    assert "**Mend first.**" in at_once
    assert "- `DUP-SLUG` A create whose slug is taken" in at_once
    assert "Against the baseline: " in summary
    assert "broken" in summary
    assert {"report.html", "badge.svg", "junit.xml", "compare.html"} <= {
        path.name for path in (tmp_path / "bad" / "out").iterdir()
    }


def test_a_summary_fits_a_screen_and_the_rest_is_folded(tmp_path: Path) -> None:
    run = sample.write_whole(tmp_path, sample.results(), red=True, hostile=True)
    text = render_brief(read_run(run))
    at_once, folded = text.split("<details><summary>All of it</summary>")
    assert len(at_once.splitlines()) <= SCREEN_LINES
    assert at_once.startswith("# Parity: ")
    assert "**Mend first.**" in at_once
    assert "new failures**" in at_once
    assert "## Create, step by step" in folded


def test_nothing_that_a_server_says_is_a_command_to_the_runner(tmp_path: Path) -> None:
    lines = render_annotations(
        read_run(sample.write_whole(tmp_path, sample.results(), red=True, hostile=True))
    ).splitlines()
    assert lines
    assert all(line.startswith("::error title=") and line.count("::") >= 2 for line in lines)
    assert all("%" not in line.replace("%25", "").replace("%3A", "").replace("%2C", "") for line in lines)
