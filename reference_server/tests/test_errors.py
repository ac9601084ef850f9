"""What callers are told fits into what their clients take."""

from __future__ import annotations

import pytest

from reference_server.errors import AlreadyExists, ApiError, FieldViolation, InvalidArgument, NotFound, bounded

METADATA_BYTES = 8 * 1024
LONG = "é" * 100_000


@pytest.mark.parametrize(
    "error",
    [
        InvalidArgument([FieldViolation(f"spec.x[{number}].{LONG}", LONG, LONG) for number in range(500)]),
        NotFound("agent", LONG),
        AlreadyExists("agent", LONG, LONG, "slug"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_status_fits_into_a_clients_metadata(error: ApiError) -> None:
    status = error.to_status()
    percent_encoded = sum(1 if byte < 128 else 3 for byte in status.message.encode())
    assert percent_encoded + status.ByteSize() * 4 / 3 < METADATA_BYTES


def test_what_was_left_out_is_said() -> None:
    many = InvalidArgument([FieldViolation("a", "b")] * 20).to_status()
    assert many.message.endswith("and 15 more")
    assert bounded("é" * 10, 5) == "éé… (15 bytes more)"
    assert bounded("short") == "short"
