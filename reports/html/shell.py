"""What all pages share: style, script, the policy that lets nothing else act, and the templates' environment.

All that is foreign passes `visible` and the template's escaping; nothing is trusted.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from reports import numbers, text
from reports.html.palette import DARK, LIGHT, SERIES, declarations
from reports.views import words


def render(
    template: str,
    *,
    more_script: str = "",
    **values: Any,  # noqa: ANN401 - whatever a template shows
) -> str:
    """Fill a template that extends `shell.html.j2`. `more_script` names one that asks its server for more."""
    style, script = _style(), _asset("page.js") + (_asset(more_script) if more_script else "")
    return (
        _environment()
        .get_template(template)
        .render(
            style=Markup(style),  # noqa: S704 - a file of this package
            script=Markup(script),  # noqa: S704 - a file of this package
            policy=_policy(style, script) + ("; connect-src 'self'" if more_script else ""),
            **values,
        )
    )


@cache
def _asset(name: str) -> str:
    return files("reports.html").joinpath("assets", name).read_text("utf-8")


@cache
def _style() -> str:
    """The style sheet after the colours: light, dark by the system's wish, and either by the reader's."""
    light, dark = declarations(LIGHT), declarations(DARK)
    series = "".join(
        f".series-{n}{{fill:var(--series-{n});color:var(--series-{n})}}.series-{n}-line{{stroke:var(--series-{n})}}"
        f".key-series-{n}::before{{background:var(--series-{n})}}"
        for n in range(1, SERIES + 1)
    )
    return (
        f":root{{color-scheme:light;{light}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}"
        f"@media screen{{:root[data-theme=dark]{{color-scheme:dark;{dark}}}}}"
        f"{series}\n{_asset('page.css')}"
    )


def _policy(style: str, script: str) -> str:
    """Only this style and this script may act: markup that slipped through could still do nothing."""
    hashes = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}';"
        " base-uri 'none'; form-action 'none'"
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports.html", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    named: list[Any] = [
        text.pretty,
        text.one_line,
        text.cut,
        text.anchor,
        numbers.quantity,
        numbers.duration,
        numbers.moment,
    ]
    named += [numbers.times, numbers.counted, numbers.in_form, numbers.spread, numbers.percent, numbers.digits]
    environment.filters |= {function.__name__: function for function in (*named, breakable)}
    environment.globals |= {
        "sign_of": words.sign_of,
        "anchor": text.anchor,
        "document_of": text.document_of,
        "words": words,
    }
    return environment


def _finalize(value: Any) -> Any:  # noqa: ANN401 - any value of a template
    return value if isinstance(value, Markup) else text.visible(str(value))


def breakable(value: str) -> Markup:
    """Return text that may be broken before a capital and after a hyphen, plus, slash or underscore."""
    parts = re.split(r"(?<=[a-z])(?=[A-Z])|(?<=[-+/_.])", text.visible(value))
    return Markup("<wbr>").join(escape(part) for part in parts)
