"""`parity conform`: the suite's own command, and one more kind of target: `store:URL`.

For a store the reference server is started over it, in a process of its own on a loopback port, with credentials
made for this run; then the suite judges that server like any other. A URL without a path is a new store.
"""

from __future__ import annotations

import inspect
import shlex
import tempfile
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from conformance.cli import conform as suite_command
from parity.problems import Problem
from parity.reference import PROFILES, Reference, with_path
from stores.registry import parse_url, scheme_of

PREFIX = "store:"
_MADE_HERE = ("credentials", "declare")
Target = Annotated[
    str,
    typer.Argument(help="grpc://host:port, grpcs://, unix:PATH, cmd:COMMAND, inproc:MODULE:FACTORY, or store:URL"),
]


def with_stores(command: Callable[..., None]) -> Callable[..., None]:
    """Return the suite's command with `store:URL` among its targets."""

    @wraps(command)
    def conform(**options: Any) -> None:  # noqa: ANN401 - values of any option
        url = str(options["target"])
        if not url.startswith(PREFIX):
            command(**options)
            return
        profile = options["profile"] or PROFILES[-1]
        _refuse_what_makes_no_sense(url, profile, options)
        with tempfile.TemporaryDirectory(prefix="parity-conform-") as folder:
            place = Path(folder)
            store = with_path(url.removeprefix(PREFIX), place / "store")
            reference = Reference(store, profile, place, options["out"] or place)
            reference.prepare()
            made = {"profile": profile, "credentials": reference.credentials, "declare": reference.declaration}
            # The server's command line names files that are gone afterwards; the URL is what can be judged again.
            command(**{**options, **made, "name": options["name"] or url, "target": reference.target})

    hints = get_type_hints(command, include_extras=True) | {"target": Target}
    parameters = inspect.signature(command).parameters.values()
    typed = [parameter.replace(annotation=hints[parameter.name]) for parameter in parameters]
    conform.__signature__ = inspect.Signature(typed)  # type: ignore[attr-defined] # functions may carry one
    conform.__annotations__ = hints
    return conform


def _refuse_what_makes_no_sense(url: str, profile: str, options: dict[str, Any]) -> None:
    """Raise Problem, or the registry's InvalidStoreUrl, before anything is started."""
    scheme_of(parse_url(url.removeprefix(PREFIX)).scheme)
    if profile not in PROFILES:
        raise Problem(f"--profile {profile}: unknown", hint=f"Choose from: {', '.join(PROFILES)}.")
    for name in _MADE_HERE:
        if options.get(name):
            raise Problem(
                f"--{name} makes no sense for {url}: the reference server's own are made for the run",
                hint="Leave it out, or start the server yourself: "
                + shlex.join(["parity", "serve", "--store", url.removeprefix(PREFIX)]),
            )


conform = with_stores(suite_command)
