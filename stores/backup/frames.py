"""A backup file, byte by byte: a line that says what it is, then frames, each with a checksum of its own.

A frame is one letter (`H` header, `B` block, `F` footer), the length of its message (four bytes, big-endian), the
CRC-32C of letter, length and message (four bytes), and the message (`parity.v1.BackupHeader`, `BackupBlock`,
`BackupFooter`). A file has one header, any number of blocks, and one footer, behind which there is nothing. What is
cut, changed, or left out is known by that; the footer's SHA-256 of all that is before it says so once more.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, TypeVar

from google.protobuf.message import DecodeError, Message

from protos.parity.v1.admin_pb2 import BackupBlock, BackupFooter, BackupHeader
from stores.contract import StoreError
from stores.format import checksum_of

MAGIC = b"parity backup 1\n"
HEADER, BLOCK, FOOTER = b"H", b"B", b"F"
_FRONT = struct.Struct(">cI")
_CHECKSUM = struct.Struct(">I")
FRAME_BYTES_MAX = 256 * 1024 * 1024
"""A longer frame is damage: a block is closed when it has some hundred KiB, and one resource has 10 MiB or so."""

Damage = Callable[[str], None]
"""Is told what is damaged, where reading goes on nevertheless."""
_M = TypeVar("_M", bound=Message)


class BadBackupFile(StoreError):
    """A file is no backup, or it is cut, or damaged. Says where."""

    hint = "take another backup; `parity restore --partial` takes what is whole, and says what is missing"


def framed(letter: bytes, message: Message) -> bytes:
    """Return the frame of a message."""
    data = message.SerializeToString()
    front = _FRONT.pack(letter, len(data))
    return front + _CHECKSUM.pack(checksum_of(front + data)) + data


def written(header: BackupHeader, blocks: Iterable[BackupBlock]) -> Iterator[bytes]:
    """Yield a backup file, frame by frame."""
    digest, records, number = hashlib.sha256(), 0, 0
    first = MAGIC + framed(HEADER, header)
    digest.update(first)
    yield first
    for block in blocks:
        number, records = number + 1, records + len(block.records)
        frame = framed(BLOCK, block)
        digest.update(frame)
        yield frame
    yield framed(FOOTER, BackupFooter(blocks=number, records=records, sha256=digest.digest()))


class BackupReader:
    """Reads a backup file from its begin. `header` is read at once; `blocks` can be read once."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        """Raises BadBackupFile if it is no backup, or its header can't be read."""
        self._file = file
        self._name = name
        self._digest = hashlib.sha256()
        self._at = len(MAGIC)
        start = file.read(len(MAGIC))
        if start != MAGIC:
            what = "it is empty" if not start else "it begins with other bytes"
            raise BadBackupFile(f"{name} is no backup: {what}", hint="was it made by `parity backup`?")
        self._digest.update(start)
        letter, data = self._frame()
        if letter != HEADER:
            raise self._bad("the header is missing")
        self.header = self._message(BackupHeader, data)

    def blocks(self, damage: Damage | None = None) -> Iterator[BackupBlock]:
        """Yield the blocks.

        Raises BadBackupFile where the file is cut or damaged; with `damage` that is told, and blocks behind it are
        read where they can be found.
        """
        blocks = records = 0
        try:
            while True:
                before = self._digest.digest()
                try:
                    letter, data = self._frame()
                except _Changed as changed:
                    if damage is None:
                        raise
                    damage(str(changed))
                    continue
                if letter == FOOTER:
                    self._check_end(self._message(BackupFooter, data), before, blocks, records)
                    return
                block = self._message(BackupBlock, data)
                blocks, records = blocks + 1, records + len(block.records)
                yield block
        except BadBackupFile as bad:
            if damage is None:
                raise
            damage(str(bad))

    def _check_end(self, footer: BackupFooter, sha256: bytes, blocks: int, records: int) -> None:
        if (footer.blocks, footer.records) != (blocks, records):
            raise self._bad(f"it has {blocks} blocks and {records} records, not {footer.blocks} and {footer.records}")
        if footer.sha256 != sha256:
            raise self._bad("the digest of the whole doesn't match")
        if self._file.read(1):
            raise self._bad("something follows the footer")

    def _frame(self) -> tuple[bytes, bytes]:
        """Return letter and message of the next frame. Raises BadBackupFile."""
        front = self._read(_FRONT.size)
        letter, size = _FRONT.unpack(front)
        if letter not in {HEADER, BLOCK, FOOTER} or size > FRAME_BYTES_MAX:
            raise self._bad("no frame begins there")
        (checksum,) = _CHECKSUM.unpack(self._read(_CHECKSUM.size))
        begin, data = self._at, self._read(size)
        if checksum_of(front + data) != checksum:
            raise _Changed(f"{self._name} is damaged at byte {begin}: the checksum of {size} bytes doesn't match")
        return letter, data

    def _read(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise BadBackupFile(f"{self._name} is cut: it ends at byte {self._at + len(data)}, without its footer")
        self._digest.update(data)
        self._at += size
        return data

    def _message(self, message_type: type[_M], data: bytes) -> _M:
        try:
            return message_type.FromString(data)
        except DecodeError as error:
            raise self._bad(f"no {message_type.DESCRIPTOR.name} stands there") from error

    def _bad(self, what: str) -> BadBackupFile:
        return BadBackupFile(f"{self._name} is damaged before byte {self._at}: {what}")


class _Changed(BadBackupFile):
    """One frame is damaged, and the next begins where it is expected."""
