"""The members of a client's registration (RFC 7591 §2): what is said of each, and how all of them are walked through.

A member is declared once, in :mod:`.registered_client`. Everybody else (registration, the database, the commands)
walks through what is declared there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import InvalidClientMetadata
from ..settings.server import ServerSettings
from .member_kinds import Kind

Shown = Literal["always", "if set", "if people"]
"""When the registration names a member: always; where it is not the default; or also where the client acts for
people."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member: what it is, who may set it, where it is kept."""

    kind: Kind
    default: Any = None
    """What its absence means."""
    operator_only: bool = False
    """Whether a client cannot choose it for itself."""
    shown: Shown = "if set"
    has_column: bool = False
    """Whether the database has a column for it, because SQL looks for it or a constraint guards it."""
    has_attribute: bool = True
    """``False``: nothing here acts on it; it is kept in :attr:`.RegisteredClient.metadata`."""
    refusal: type[InvalidClientMetadata] = InvalidClientMetadata


Members = Mapping[str, Member]


# --- all members of a registration -------------------------------------------------------------------------
def check_members(members: Members, given: Mapping[str, Any], settings: ServerSettings) -> dict[str, Any]:
    """Check each member of a registration by itself, and return the arguments of :class:`.RegisteredClient`.

    What is not declared is passed over (RFC 7591 §2).

    :raises InvalidClientMetadata: A value is not acceptable; the reason says which and why.
    """
    values: dict[str, Any] = {}
    for name, member in members.items():
        if name not in given:
            continue
        kind = member.kind
        try:
            values[name] = kind.read(given[name]) if kind.check is None else kind.check(given[name], settings)
        except ValueError as error:
            raise member.refusal(f"{name} {error}") from None
    return _with_metadata(members, values)


def load_members(members: Members, kept: Mapping[str, Any]) -> dict[str, Any]:
    """What :func:`dump_members` made, as arguments of :class:`.RegisteredClient`. What is not declared stays.

    :raises ValueError: A value is of another type; the sentence says which.
    """
    values: dict[str, Any] = {}
    for name, value in kept.items():
        member = members.get(name)
        if member is None:
            values[name] = value
        elif not member.has_column:
            try:
                values[name] = member.kind.read(value)
            except ValueError as error:
                raise ValueError(f"{name} {error}") from None
    return _with_metadata(members, values)


def dump_members(members: Members, client: Any) -> dict[str, Any]:
    """The members of a client that have no column, as JSON: those that say what their absence would not."""
    without_column = {name: member for name, member in members.items() if not member.has_column}
    return _write(without_column, client, for_people=False)


def describe_members(members: Members, client: Any, *, for_people: bool) -> dict[str, Any]:
    """The registration in the words of RFC 7591.

    :param for_people: Whether the client acts for people.
    """
    return _write(members, client, for_people=for_people)


def _with_metadata(members: Members, values: dict[str, Any]) -> dict[str, Any]:
    """The values by attribute, those without one together in ``metadata``."""
    attributes = {name: value for name, value in values.items() if name in members and members[name].has_attribute}
    return {**attributes, "metadata": {name: value for name, value in values.items() if name not in attributes}}


def _write(members: Members, client: Any, *, for_people: bool) -> dict[str, Any]:
    written = {}
    for name, member in members.items():
        if member.has_attribute and _is_named(member, value := getattr(client, name), for_people=for_people):
            written[name] = member.kind.write(value)
    return {**written, **client.metadata}


def _is_named(member: Member, value: Any, *, for_people: bool) -> bool:
    return value != member.default or member.shown == "always" or (for_people and member.shown == "if people")
