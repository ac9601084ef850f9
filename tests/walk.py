"""Walks one request through the server and counts what a reader has to follow: `python -m tests.walk create`.

A profiler hook sees every call into the product's files while one request is answered, on the event loop and in the
thread that writes. From the calls come the figures of `docs/how-a-create-flows.md`:

- files: the modules that the request enters;
- entries: how often the event loop calls into the product (a handler that begins or is resumed, a callback);
- climbs: calls from one module into another that stands above it, that is, which imports it directly or through
  others. Calls down the imports can be followed with the editor's "go to definition"; a climb can't.
"""

from __future__ import annotations

import argparse
import ast
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization
from reference_server.config import ServerConfig
from reference_server.tests.running import SERVER_THREAD, running

ROOT = Path(__file__).parents[1]
ROOMS = ("reference_server", "stores", "protos")
CREATE = "ai.stigmer.agentic.agent.v1.AgentCommandController/create"


def module_of(path: str) -> str | None:
    """Return the product's module that a file holds, or None for any other file."""
    file = Path(path)
    if not file.is_relative_to(ROOT):
        return None
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts) if parts[0] in ROOMS and "tests" not in parts else None


@cache
def imports() -> Mapping[str, frozenset[str]]:
    """Return what each module of the product imports directly, `TYPE_CHECKING` blocks left out."""
    files = {module_of(str(path)): path for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    known = {name for name in files if name is not None}
    return {name: frozenset(_imported(path, known)) for name, path in files.items() if name is not None}


def _imported(path: Path, known: set[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (name for name in (node.module,) if name in known)
            yield from (name for alias in node.names if (name := f"{node.module}.{alias.name}") in known)


@cache
def below(module: str) -> frozenset[str]:
    """Return all modules that a module imports, directly or through others."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        for name in imports().get(waiting.pop(), ()):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return frozenset(found)


@dataclass
class Walk:
    """What one request entered. `calls`: (calling module or "", called module) with how often."""

    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    entries: list[str] = field(default_factory=list)
    """Functions that the event loop called, in order, as `module:function`."""
    path: list[tuple[str, str]] = field(default_factory=list)
    is_on: bool = False

    @property
    def files(self) -> list[str]:
        """The modules entered, in the order of their first call."""
        return list(dict.fromkeys(module for _, module in self.path))

    @property
    def climbs(self) -> Counter[tuple[str, str]]:
        """Calls into a module that stands above the calling one."""
        found = {(caller, called): count for (caller, called), count in self.calls.items() if caller in below(called)}
        return Counter(found)


@contextmanager
def watched() -> Iterator[Walk]:
    """See every call in threads that begin within the block, while `is_on`."""
    walk = Walk()

    def see(frame: FrameType, event: str, _: object) -> None:
        if event != "call" or not walk.is_on:
            return
        module = _module(frame)
        if module is None:
            return
        caller = _caller(frame)
        walk.calls[caller, module] += 1
        walk.path.append((caller, module))
        if not caller and threading.current_thread().name == SERVER_THREAD:
            walk.entries.append(f"{module}:{frame.f_code.co_name}")

    threading.setprofile(see)
    try:
        yield walk
    finally:
        threading.setprofile(None)


def _module(frame: FrameType) -> str | None:
    return _module_of_file(frame.f_code.co_filename)


_module_of_file = cache(module_of)


def _caller(frame: FrameType) -> str:
    """Return the module of the nearest caller in the product; empty for none: then the event loop, or a thread, is."""
    above = frame.f_back
    while above is not None:
        module = _module(above)
        if module is not None:
            return module
        above = above.f_back
    return ""


@contextmanager
def served(profile: str, store: str, folder: Path) -> Iterator[Callable[[str], None]]:
    """Serve a store on a loopback port; yield what creates an agent of a name."""
    tokens = folder / "tokens.toml"
    tokens.write_text('[[callers]]\nid = "root"\ntoken = "root-token"\noperator = true\n', encoding="utf-8")
    config = ServerConfig(listen="127.0.0.1:0", profile=profile, tokens=str(tokens) if profile == "cloud" else "")
    with running(config, store) as server:

        def create(name: str) -> None:
            agent = Agent(api_version="agentic.stigmer.ai/v1", kind="Agent")
            agent.metadata.name, agent.metadata.owner_scope, agent.metadata.org = name, organization, "acme"
            agent.spec.instructions = "Answer questions about the house."
            server.call(CREATE, agent, Agent, token="root-token" if profile == "cloud" else "")

        yield create


def _placed(store: str, folder: Path) -> str:
    scheme, _, rest = store.partition(":")
    path, mark, options = rest.partition("?")
    return store if path or scheme == "memory" else f"{scheme}:{folder / 'store'}{mark}{options}"


def walk_create(profile: str, store: str, *, warm: int = 20) -> Walk:
    """Return the walk of one create, after `warm` others, which fill what a server fills once.

    `store` is a store URL; one that names no path (`leveldb:`) gets a folder of its own.
    """
    with TemporaryDirectory(prefix="walk-") as folder:
        url = _placed(store, Path(folder))
        with watched() as walk, served(profile, url, Path(folder)) as create:
            for number in range(warm):
                create(f"Warm {number}")
            walk.is_on = True
            create("Walked")
            walk.is_on = False
            return walk


def main() -> None:
    """Print the figures of one request's walk."""
    parser = argparse.ArgumentParser(description="Count what a reader follows from a request's bytes to its answer's.")
    parser.add_argument("operation", choices=["create"])
    parser.add_argument("--profile", choices=["cloud", "oss"], default="cloud")
    parser.add_argument("--store", default="leveldb:", help="store URL; without a path, in a folder of its own")
    parser.add_argument("--path", action="store_true", help="print each call from one module to another, in order")
    arguments = parser.parse_args()
    walk = walk_create(arguments.profile, arguments.store)
    show(walk, path=arguments.path)


def show(walk: Walk, *, path: bool) -> None:
    """Print the figures, the files in the order in which they are entered, and the climbs."""
    lines = [f"calls    {sum(walk.calls.values())}", f"files    {len(walk.files)}"]
    lines += [f"entries  {len(walk.entries)}  {', '.join(walk.entries)}", f"climbs   {sum(walk.climbs.values())}"]
    lines += [f"  {count:3} {caller} -> {called}" for (caller, called), count in walk.climbs.items()]
    lines += ["the files, as they are entered:", *(f"  {module}" for module in walk.files)]
    if path:
        lines += [f"  {caller or '(loop or thread)'} -> {called}" for caller, called in walk.path if caller != called]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
