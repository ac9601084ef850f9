"""What the formats of all stores on disk have in common: whose they are, and the checksum."""

from __future__ import annotations

from google_crc32c import value as crc32c

from stores.contract import FormatMismatch

PRODUCT = "parity-store"


def checksum_of(data: bytes) -> int:
    """Return the CRC-32C of some bytes, never 0. A processor computes it four times as fast as zlib's CRC-32."""
    return crc32c(data) or 1


def check_format(product: object, version: object, written_by: object, codec: str, expected: int) -> None:
    """Raise FormatMismatch unless product, version and codec are what this program writes."""
    if product != PRODUCT:
        raise FormatMismatch(f"the database belongs to {product!r}, not to {PRODUCT!r}", hint="choose another path")
    if version != expected:
        raise FormatMismatch(
            f"the database has format {version!r}; this program reads format {expected}",
            hint="open it with the release that wrote it, export it there, and import the file here",
        )
    if written_by != codec:
        raise FormatMismatch(
            f"the database was written by the codec {written_by!r}, not {codec!r}",
            hint=f"open it with ?codec={written_by}",
        )
