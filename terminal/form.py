"""The two forms in which most commands answer."""

from __future__ import annotations

from enum import StrEnum


class Form(StrEnum):
    """What `-o` takes: lines for people, or one JSON document for programs."""

    TEXT = "text"
    JSON = "json"
