"""Which server this is. Source: behaviour contract, the two profiles."""

from __future__ import annotations

from enum import StrEnum


class Profile(StrEnum):
    """The full cloud handler, or the local single-user server."""

    CLOUD = "cloud"
    OSS = "oss"
