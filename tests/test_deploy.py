"""What is in deploy/ starts the server that there is: its flags, its ports, its probes, its unit."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from parity.commands import COMMANDS
from parity.lazy import load
from reference_server.config import load_config
from reference_server.store_health import STORE_HEALTH
from stores.go_build import GoBuild, find_go

DEPLOY = Path(__file__).parent.parent / "deploy"
KUBERNETES = GoBuild(
    name="kubernetes",
    summary="the check of manifests",
    command="pytest tests/test_deploy.py",
    sources=Path(__file__).parent / "kubernetes",
    file="check-manifest",
    go_version="1.24",
    needs_compiler=False,
)
BUILD_SECONDS = 900
UNIT, MANIFEST, CONTAINERFILE = (DEPLOY / name for name in ("parity.service", "kubernetes.yaml", "Containerfile"))
HADOLINT = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")


def served(words: list[str]) -> Any:
    """The settings that a command line of `parity serve` makes; fails for a flag that isn't there."""
    context = load(next(row for row in COMMANDS if row.name == "serve")).make_context("serve", words)
    flags = {name: value for name, value in context.params.items() if name not in {"config", "print_config"}}
    return load_config(flags, None, {})


def unit_values(name: str) -> list[str]:
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{name}=")]


def test_the_unit_starts_a_server_that_stops_in_time() -> None:
    (command,) = unit_values("ExecStart")
    program, verb, *words = shlex.split(command)
    assert (Path(program).name, verb) == ("parity", "serve")
    settings = served(words)
    assert settings.profile == "cloud"
    assert settings.grace_seconds < float(unit_values("TimeoutStopSec")[0])
    assert settings.tokens == "%d/tokens.toml"
    assert unit_values("LoadCredential")[0].startswith("tokens.toml:")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze isn't on this machine")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    copy = tmp_path / "parity.service"
    text = UNIT.read_text(encoding="utf-8").replace("/usr/local/bin/parity", sys.executable)
    copy.write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, timeout=60, check=False
    )
    about = [line for line in (done.stdout + done.stderr).splitlines() if "parity.service" in line]
    assert (done.returncode, about) == (0, [])
    copy.write_text(text.replace("Restart=on-failure", "Restarts=on-failure"), encoding="utf-8")
    wrong = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, timeout=60, check=False
    )
    assert "Restarts" in wrong.stderr, "a wrong unit would be noticed"


def documents() -> dict[str, Any]:
    rows = YAML(typ="safe", pure=True).load_all(MANIFEST.read_text(encoding="utf-8"))
    return {row["kind"]: row for row in rows}


def test_the_manifest_starts_a_server_that_its_probes_and_ports_fit() -> None:
    found = documents()
    pod = found["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    verb, *words = container["args"]
    settings = served(words)
    assert (container["command"], verb) == (["parity"], "serve")
    port = int(settings.listen.rpartition(":")[2])
    assert {each["containerPort"] for each in container["ports"]} == {port, int(settings.metrics.rpartition(":")[2])}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["grpc"]["port"] == port
    assert container["readinessProbe"]["grpc"]["service"] == STORE_HEALTH
    assert settings.grace_seconds < pod["terminationGracePeriodSeconds"]
    assert settings.store.startswith("postgresql:"), "several replicas need a store that several servers may write"
    mounts = [each["mountPath"] for each in container["volumeMounts"]]
    assert Path(settings.tokens).parent.as_posix() in mounts
    assert {each["name"] for each in container["volumeMounts"]} == {each["name"] for each in pod["volumes"]}
    password_file = next(each["value"] for each in container["env"] if each["name"] == "PGPASSFILE")
    assert pod["initContainers"][0]["command"][-1] == password_file


def test_the_image_starts_the_server_on_the_ports_that_it_names() -> None:
    lines = CONTAINERFILE.read_text(encoding="utf-8").splitlines()
    told = {line.split()[0]: line.partition(" ")[2] for line in lines if line[:1].isupper()}
    assert json.loads(told["ENTRYPOINT"]) == ["parity"]
    verb, *words = json.loads(told["CMD"])
    settings = served(words)
    assert verb == "serve"
    assert told["EXPOSE"].split() == [each.rpartition(":")[2] for each in (settings.listen, settings.metrics)]
    assert int(told["USER"]) > 0
    extras = set(next(line for line in lines if line.startswith("ARG EXTRAS=")).partition("=")[2].split(","))
    there = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert extras <= set(there)


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is installed on Linux on x86-64 only, where it has a wheel")
def test_hadolint_takes_the_image(tmp_path: Path) -> None:
    assert HADOLINT is not None
    done = subprocess.run([HADOLINT, str(CONTAINERFILE)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    wrong = tmp_path / "Containerfile"
    text = CONTAINERFILE.read_text(encoding="utf-8")
    wrong.write_text(text.replace("WORKDIR /src", "WORKDIR src"), encoding="utf-8")
    done = subprocess.run([HADOLINT, str(wrong)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "DL3000" in done.stdout) == (1, True), "a wrong image would be noticed"


@pytest.mark.full
@pytest.mark.timeout(BUILD_SECONDS)
def test_the_manifest_is_what_kubernetes_knows(tmp_path: Path) -> None:
    """Decoded strictly by the types of Kubernetes' own API."""
    if find_go() is None:
        pytest.skip("Go isn't on this machine")
    program = str(KUBERNETES.build())
    done = subprocess.run([program, str(MANIFEST)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(MANIFEST.read_text(encoding="utf-8").replace("minAvailable", "minimumAvailable"), encoding="utf-8")
    done = subprocess.run([program, str(wrong)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "minimumAvailable" in done.stderr


def test_the_manifest_selects_its_own_pods() -> None:
    found = documents()
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert found["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert found["Service"]["spec"]["selector"] == labels
    assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert found["PodDisruptionBudget"]["spec"]["minAvailable"] < found["Deployment"]["spec"]["replicas"]
