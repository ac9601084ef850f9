"""Pages: by number (the wire contract's PageInfo) and by token (our list extension)."""

from __future__ import annotations

import base64
import binascii

from protos.ai.stigmer.commons.rpc.pagination_pb2 import PageInfo
from reference_server.errors import FieldViolation, InvalidArgument

PAGE_SIZE_DEFAULT = 20
PAGE_SIZE_MAX = 100
LIST_SIZE_DEFAULT = 100


def page_of(info: PageInfo) -> tuple[int, int]:
    """Return (items to skip, items to return) of a numbered page: from 1, 20 by default, 100 at most.

    Raises InvalidArgument for a negative number or size.
    """
    wrong = [
        FieldViolation(f"page_info.{name}", f"is {value}; send {what}")
        for name, value, what in (("num", info.num, "a page number from 1"), ("size", info.size, "1 to 100"))
        if value < 0
    ]
    if wrong:
        raise InvalidArgument(wrong)
    size = min(info.size or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)
    return (max(info.num, 1) - 1) * size, size


def token_of(position: int) -> str:
    """Return the page token that resumes after a position."""
    return base64.urlsafe_b64encode(f"after:{position}".encode()).decode()


def position_of(token: str) -> int:
    """Return the position in a page token, 0 for the first page. Raises InvalidArgument for any other text."""
    if not token:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(token).decode().partition(":")
        if word == "after" and number.isascii() and number.isdigit():
            return int(number)
    except (ValueError, binascii.Error):
        pass
    raise InvalidArgument(
        [FieldViolation("page.page_token", "is no token of this server; send next_page_token of the page before")]
    )
