"""What a cause means, and who has to do what: the table of ``docs/causes.md``, which ``make causes`` puts here."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_SECTION_OF_PARTS = ("JWTs", "Keys", "Addresses")
"""Their codes are the ends of other codes."""
_LINK = re.compile(r"\[([^\]]+)\]\(#[\w-]+\)")
_WHO = re.compile(r"(?:^|; )(client|operator|API|maker|server): ")
_CAPITALS = re.compile(r"[A-Z]+")
_MAKERS = {"token": "issuer", "id_token_hint": "issuer", "id_token": "server"}
"""The beginning of a code -> who makes this kind of JWT; of all others it is the client."""


@dataclass(frozen=True, slots=True)
class Task:
    """What somebody has to do."""

    who: str
    """``client``, ``operator``, ``API``, ``issuer``, ``server`` or, where nobody is named, ``anybody``."""
    what: str


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a cause means."""

    meaning: str
    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    section: str
    cause: str
    meaning: str
    todo: str


def find_meaning(cause: str) -> Meaning | None:
    """The row of *cause*; ``None``: there is none, because a function of the application gave the cause."""
    whole = [row for row in _load_rows() if row.section not in _SECTION_OF_PARTS]
    row = _find(cause, whole)
    if row is None:
        return None
    maker = next((who for kind, who in _MAKERS.items() if cause.startswith(f"{kind}_")), "client")
    return Meaning(row.meaning, tuple(_split(row.todo, maker)))


def _find(code: str, rows: Sequence[_Row]) -> _Row | None:
    """The most precise row of *code* in *rows*, or in the section that its row refers to."""
    for row in sorted(rows, key=lambda row: _is_open(row.cause)):
        if (rest := _match(row.cause, code)) is None:
            continue
        if not rest:
            return row
        for section in [*_LINK.findall(row.todo), row.section]:
            parts = [part for part in _load_rows() if part.section == section and part.cause != row.cause]
            if (found := _find(f"…_{rest}", parts)) is not None:
                return found
    return None


def _is_open(pattern: str) -> tuple[bool, bool, int]:
    """Orders rows: exact codes first, then those that say how a code begins, then those with a name in them."""
    return _CAPITALS.search(pattern) is not None, pattern.endswith("…"), -len(pattern)


def _match(pattern: str, code: str) -> str | None:
    """What is left of *code* behind *pattern*: nothing if it is the whole code; ``None`` if it is another code."""
    if pattern.endswith("…"):
        beginning = pattern[:-1]
        return code.removeprefix(beginning) if code.startswith(beginning) and code != beginning else None
    expression = _CAPITALS.sub("[A-Za-z0-9_#-]+", re.escape(pattern))
    return "" if re.fullmatch(expression, code) else None


def _split(todo: str, maker: str) -> Iterator[Task]:
    parts = _WHO.split(todo)
    if parts[0]:
        yield Task("anybody", _plain(parts[0]))
    for who, what in zip(parts[1::2], parts[2::2], strict=True):
        yield Task(maker if who == "maker" else who, _plain(what))


def _plain(text: str) -> str:
    return _LINK.sub(r"\1", text).replace("`", "")


@cache
def _load_rows() -> tuple[_Row, ...]:
    text = files(__package__).joinpath("causes.json").read_text(encoding="utf-8")
    return tuple(_Row(*row) for row in json.loads(text))
