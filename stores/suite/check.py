"""What a check is, and how one is run. The checks are in `checks/`, one module for each part of the contract.

A check has an id that never changes, the sentence of the contract that it proves, and a function that raises
`Violation` when the store breaks it. Anything else that is raised is a failure too: a store has no business
raising what the contract doesn't name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NoReturn, Protocol, TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message

from stores.contract import Access, Capabilities, Store
from stores.schema import KINDS, Schema

ErrorT = TypeVar("ErrorT", bound=Exception)
_SHOWN_MAX = 200
Need = Callable[[Capabilities], bool]


class StoreUnderTest(Protocol):
    """The store under test: opens databases by name. The same name again is the same database."""

    def open(self, name: str) -> Store:
        """Open the database, made empty the first time."""
        ...

    def open_for(self, name: str, access: Access, schema: Schema = KINDS) -> Store:
        """Open the database for this, and with a schema of one's own. Raises NotProven where only a URL can."""
        ...

    def open_command(self, name: str) -> list[str] | None:
        """Return a command that opens the database in a process of its own and ends (exit 0 if that worked).

        None where a second process makes no sense.
        """
        ...

    def url_of(self, name: str) -> str | None:
        """Return the URL by which other processes open the database, or None if there is none."""
        ...

    @property
    def folder(self) -> Path:
        """A folder for the suite's own files."""
        ...


class NotProven(Exception):
    """What a check is about can't be established here; the message says why. The store isn't to blame."""


class Violation(AssertionError):
    """The store broke the contract; the message says how."""


class Bench:
    """What a check works with: the subject, and a store that is fresh in each check."""

    def __init__(self, subject: StoreUnderTest, name: str, seed: int = 0) -> None:
        self.subject = subject
        self.name = name
        self.seed = seed
        """Of what a check draws, so that it can be drawn again."""
        self._opened: list[Store] = []
        self._store: Store | None = None

    @property
    def store(self) -> Store:
        """The check's store, opened at the first use."""
        if self._store is None:
            self._store = self.open(self.name)
        return self._store

    def open(self, name: str) -> Store:
        """Open a database; it is closed after the check."""
        store = self.subject.open(name)
        self._opened.append(store)
        return store

    def open_for(self, name: str, access: Access, schema: Schema = KINDS) -> Store:
        """Open a database for this; it is closed after the check. Raises what the store raises, and NotProven."""
        store = self.subject.open_for(name, access, schema)
        self._opened.append(store)
        return store

    def reopen(self) -> Store:
        """Close the check's store and open the same database again."""
        self.store.close()
        self._store = self.open(self.name)
        return self._store

    def close(self) -> None:
        """Close everything that the check opened."""
        for store in self._opened:
            store.close()


@dataclass(frozen=True, slots=True)
class StoreCheck:
    """One check: a stable id, the sentence that it proves, the function, and which stores it is about."""

    id: str
    sentence: str
    run: Callable[[Bench], None]
    applies: Need


class Checks:
    """Collects the checks of a module, in order, by decorator."""

    def __init__(self) -> None:
        self.all: list[StoreCheck] = []

    def __call__(self, id: str, applies: Need | None = None) -> Callable[[Callable[[Bench], None]], StoreCheck]:  # noqa: A002
        """Register a function as a check; its docstring is the sentence that it proves."""

        def register(run: Callable[[Bench], None]) -> StoreCheck:
            sentence = (run.__doc__ or "").strip()
            if not sentence:
                raise ValueError(f"check {id!r} has no sentence")
            check = StoreCheck(id, sentence, run, applies or (lambda _: True))
            self.all.append(check)
            return check

        return register


def is_persistent(capabilities: Capabilities) -> bool:
    """A need: the store outlives its process."""
    return capabilities.persistent


class StoreVerdict(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    FAIL = "fail"
    NOT_PROVEN = "not proven"
    """What it is about can't be established here: no failure, and no proof."""
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Result:
    """One check's verdict; `reason` says what was wrong, or why nothing is proven."""

    check: StoreCheck
    verdict: StoreVerdict
    reason: str = ""


def run_check(check: StoreCheck, subject: StoreUnderTest, name: str, seed: int = 0) -> Result:
    """Run one check on a fresh database of the subject; what it draws is drawn by the seed."""
    bench = Bench(subject, name, seed)
    try:
        if not check.applies(bench.store.capabilities):
            return Result(check, StoreVerdict.NOT_APPLICABLE)
        check.run(bench)
    except NotProven as error:
        return Result(check, StoreVerdict.NOT_PROVEN, str(error))
    except Exception as error:  # noqa: BLE001 - a store may raise anything, and that is a finding
        reason = str(error) if isinstance(error, Violation) else f"{type(error).__name__}: {error}"
        return Result(check, StoreVerdict.FAIL, escaped(reason))
    else:
        return Result(check, StoreVerdict.PASS)
    finally:
        bench.close()


# ---- what checks say


def fail(message: str) -> NoReturn:
    """Raise a Violation."""
    raise Violation(message)


def same(what: str, got: object, wanted: object) -> None:
    """Raise a Violation unless both are equal."""
    if got != wanted:
        ours, theirs = shown(got), shown(wanted)
        raise Violation(f"{what}: got {_short(ours, theirs)}, wanted {_short(theirs, ours)}")


def shown(value: object) -> str:
    """Return a value as ASCII, so that nothing looks like what it isn't; what is empty can be seen as well."""
    if isinstance(value, Message):
        return f"{type(value).__name__} {text_format.MessageToString(value, as_one_line=True)!a}"
    return ascii(value)


def escaped(text: str) -> str:
    """Return a text with escapes for all that isn't ASCII, but for the suite's own ellipsis."""
    return "".join(each if each in "\n…" else ascii(each)[1:-1] if not " " <= each <= "~" else each for each in text)


def _short(text: str, other: str = "") -> str:
    """Return a text, or of a long one a part: that where it begins to differ from the other."""
    if len(text) <= _SHOWN_MAX:
        return text
    alike = next((n for n, pair in enumerate(zip(text, other, strict=False)) if len(set(pair)) > 1), 0)
    start = max(0, alike - _SHOWN_MAX // 4)
    return f"{'…' if start else ''}{text[start : start + _SHOWN_MAX]}… ({len(text)} characters)"


def refused(what: str, expected: type[ErrorT], call: Callable[[], object]) -> ErrorT:
    """Raise a Violation unless the call raises this very class of error; return the error."""
    try:
        answer = call()
    except expected as error:
        if type(error) is not expected:
            raise Violation(f"{what}: raised {type(error).__name__}, wanted {expected.__name__}") from error
        return error
    except Exception as error:
        raise Violation(f"{what}: raised {type(error).__name__} ({error}), wanted {expected.__name__}") from error
    raise Violation(f"{what}: answered {_short(shown(answer))}, wanted {expected.__name__}")
