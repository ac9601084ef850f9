"""Read a custom option of a descriptor (a method's authorization, a kind's id prefix, a field's rules)."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message


def option_of(options: Message, extension: Any) -> Any | None:  # noqa: ANN401 - as the extension's type says
    """Return the value of `extension` in a descriptor's `GetOptions()`, or None where it isn't set."""
    return options.Extensions[extension] if options.HasExtension(extension) else None
