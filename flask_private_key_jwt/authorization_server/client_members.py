"""The members of a client's registration (RFC 7591 §2): what one declares, the walk through all, and their kinds.

A member is declared once, in :mod:`.registered_client`. Registration, the database and the commands walk through these
declarations. A value that the settings forbid, or that is too long, is refused when somebody registers it, not when the
database is read: a stricter rule does not change the clients that are there already.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from ..errors import InvalidClientMetadata
from ..settings.server import ServerSettings
from ..settings.values import scope_tokens
from .readable_text import is_plain, is_visible_name
from .registered_uris import check_page

Shown = Literal["always", "if set", "if people"]
"""When a registration shows a member: always; if it differs from its default; or also if the client acts for people."""

MAX_SCOPE_CHARACTERS = 4096
MAX_TEXT_CHARACTERS = 2048
MAX_REDIRECT_URIS = 20
MAX_CONTACTS = 20
MAX_AGE_SECONDS = 2**31


def _as_it_is(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Kind:
    """How a value is read, written and checked. A :class:`ValueError` completes a sentence after its name."""

    read: Callable[[Any], Any]
    """From JSON, as the database has it; checks the type only."""
    write: Callable[[Any], Any] = _as_it_is
    """To JSON; the opposite of :attr:`read`."""
    check: Callable[[Any, ServerSettings], Any] | None = None
    """From JSON, as somebody registers it; ``None``: as :attr:`read`."""


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
    """``False``: the server only keeps it, in :attr:`.RegisteredClient.metadata`."""
    refusal: type[InvalidClientMetadata] = InvalidClientMetadata


Members = Mapping[str, Member]


# --- all members of a registration -------------------------------------------------------------------------
def check_members(members: Members, given: Mapping[str, Any], settings: ServerSettings) -> dict[str, Any]:
    """Check each member of a registration by itself, and return the arguments of :class:`.RegisteredClient`.

    Members that are not declared are ignored (RFC 7591 §2).

    :raises InvalidClientMetadata: A value is not acceptable; the reason says which and why.
    """
    attributes: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    for name, member in members.items():
        if name not in given:
            continue
        kind = member.kind
        try:
            value = kind.read(given[name]) if kind.check is None else kind.check(given[name], settings)
        except ValueError as error:
            raise member.refusal(f"{name} {error}", cause=f"{name}_not_accepted") from None
        (attributes if member.has_attribute else metadata)[name] = value
    return {**attributes, "metadata": metadata}


def load_members(members: Members, kept: Mapping[str, Any]) -> dict[str, Any]:
    """Turn what :func:`dump_members` made into arguments of :class:`.RegisteredClient`.

    Members that are not declared stay in the client's metadata.

    :raises ValueError: A value has the wrong type; the message says which.
    """
    attributes: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    for name, value in kept.items():
        member = members.get(name)
        if member is None:
            metadata[name] = value
        elif not member.has_column:
            try:
                (attributes if member.has_attribute else metadata)[name] = member.kind.read(value)
            except ValueError as error:
                raise ValueError(f"{name} {error}") from None
    return {**attributes, "metadata": MappingProxyType(metadata)}


def dump_members(members: Members, client: Any) -> dict[str, Any]:
    """The members of a client that have no column, as JSON, without those that have their default value."""
    without_column = {name: member for name, member in members.items() if not member.has_column}
    return _write(without_column, client, for_people=False)


def describe_members(members: Members, client: Any, *, for_people: bool) -> dict[str, Any]:
    """The registration in the words of RFC 7591.

    :param for_people: Whether the client acts for people.
    """
    return _write(members, client, for_people=for_people)


def _write(members: Members, client: Any, *, for_people: bool) -> dict[str, Any]:
    written = {}
    for name, member in members.items():
        if member.has_attribute and _is_named(member, value := getattr(client, name), for_people=for_people):
            written[name] = member.kind.write(value)
    return {**written, **client.metadata}


def _is_named(member: Member, value: Any, *, for_people: bool) -> bool:
    return value != member.default or member.shown == "always" or (for_people and member.shown == "if people")


# --- kinds: strings -----------------------------------------------------------------------------------------------
def split_scope(text: str) -> tuple[str, ...]:
    """The scope tokens in *text*, each once, in their order. A space is the only separator; several count as one."""
    tokens = dict.fromkeys(text.split(" "))
    tokens.pop("", None)
    return tuple(tokens)


def _read_string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("is not a string")
    return value


def text(longest: int = MAX_TEXT_CHARACTERS) -> Kind:
    """A string for people or programs.

    It may hold no control characters, because an operator's terminal would obey them, and no lone surrogates, because
    no database accepts them.
    """

    return Kind(read=_read_string, check=lambda value, _settings: _check_text(value, longest))


def one_of(*allowed: str) -> Kind:
    """One of a few words."""

    def read(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f"{str(value)[:100]!r} is not supported; it may be {', '.join(allowed)}")
        return str(value)

    return Kind(read=read)


def _is_text(value: Any, longest: int = MAX_TEXT_CHARACTERS) -> bool:
    return isinstance(value, str) and 0 < len(value) <= longest and is_plain(value)


def _check_text(value: Any, longest: int = MAX_TEXT_CHARACTERS) -> str:
    if not _is_text(value, longest):
        raise ValueError(f"is not a string of 1 to {longest} characters, or holds control characters")
    return str(value)


def _read_name(value: Any) -> str | None:
    """A stored name that nobody can see counts as no name, because people decide by it. It is older than the check."""
    name = _read_string(value)
    return name if is_visible_name(name) else None


def _check_name(value: Any, _settings: ServerSettings) -> str:
    """The name people read on the consent page: no line breaks, and no characters that reverse the text around them."""
    name = _check_text(value, 255)
    if not is_visible_name(name):
        raise ValueError("is blank, or holds characters that cannot be seen")
    return name


def _check_page(value: Any, _settings: ServerSettings) -> str:
    uri = _check_text(value)
    check_page(uri)
    return uri


def _check_request_alg(value: Any, settings: ServerSettings) -> str:
    if value not in settings.REQUEST_OBJECT_SIGNING_ALGS:
        raise ValueError(f"{str(value)[:40]!r} is not accepted")
    return str(value)


def _check_id_token_alg(value: Any, settings: ServerSettings) -> str:
    if value != settings.SIGNING_ALG:
        raise ValueError(
            f"{str(value)[:40]!r} is not {settings.SIGNING_ALG!r}, which every token here is signed with: "
            "leave it out, or change OAUTH2_SIGNING_ALG"
        )
    return str(value)


TEXT = text()
SHORT_TEXT = text(255)
NAME = Kind(read=_read_name, check=_check_name)
PAGE = Kind(read=_read_string, check=_check_page)
URL = Kind(read=_read_string)
REQUEST_ALG = Kind(read=_read_string, check=_check_request_alg)
ID_TOKEN_ALG = Kind(read=_read_string, check=_check_id_token_alg)


# --- kinds: scopes, a string with spaces between ---------------------------------------------------------------
def _read_scope(value: Any) -> tuple[str, ...]:
    if not isinstance(value, str):
        raise ValueError("is not a string of scopes with spaces between")
    return split_scope(value)


def _check_scope(value: Any, _settings: ServerSettings) -> tuple[str, ...]:
    tokens = _read_scope(value)
    if len(value) > MAX_SCOPE_CHARACTERS:
        raise ValueError(f"is longer than {MAX_SCOPE_CHARACTERS} characters")
    scope_tokens(tokens)
    return tokens


ORDERED_SCOPE = Kind(read=_read_scope, write=" ".join, check=_check_scope)
SCOPE = Kind(
    read=lambda value: frozenset(_read_scope(value)),
    write=lambda scope: " ".join(sorted(scope)),
    check=lambda value, settings: frozenset(_check_scope(value, settings)),
)


# --- kinds: lists ------------------------------------------------------------------------------------------------
def _is_list_of_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _read_strings(value: Any) -> tuple[str, ...]:
    if not _is_list_of_strings(value):
        raise ValueError("is not a list of strings")
    return tuple(dict.fromkeys(value))


def _check_uris(value: Any, _settings: ServerSettings) -> tuple[str, ...]:
    """Check the list only. What each URI must look like depends on the client: see :mod:`.registration.redirects`."""
    if not _is_list_of_strings(value) or len(value) > MAX_REDIRECT_URIS:
        raise ValueError(f"is not a list of at most {MAX_REDIRECT_URIS} strings")
    return _read_strings(value)


def _read_grant_types(value: Any) -> frozenset[str]:
    if not _is_list_of_strings(value):
        raise ValueError("is not a list of grant types")
    return frozenset(value)


def _check_resources(value: Any, settings: ServerSettings) -> tuple[str, ...]:
    known = (*settings.resources, settings.ISSUER)
    if not isinstance(value, list) or any(item not in known for item in value):
        raise ValueError(
            f"is not a list of what is in OAUTH2_RESOURCES: {known!r}; add the API there first, by the name that is "
            "its OAUTH2_RESOURCE"
        )
    return _read_strings(value)


def _read_contacts(value: Any) -> list[str]:
    if not _is_list_of_strings(value):
        raise ValueError("is not a list of strings")
    return list(value)


def _check_contacts(value: Any, _settings: ServerSettings) -> list[str]:
    if not isinstance(value, list) or len(value) > MAX_CONTACTS or not all(_is_text(item) for item in value):
        raise ValueError(f"is not a list of at most {MAX_CONTACTS} strings, or one holds control characters")
    return value


GRANT_TYPE_LIST = Kind(read=_read_grant_types, write=sorted)
URI_LIST = Kind(read=_read_strings, write=list, check=_check_uris)
RESOURCE_LIST = Kind(read=_read_strings, write=list, check=_check_resources)
CONTACT_LIST = Kind(read=_read_contacts, check=_check_contacts)


# --- kinds: others -------------------------------------------------------------------------------------------------
def _read_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("is not true or false")
    return value


def _read_seconds(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_AGE_SECONDS:
        raise ValueError("is not a whole number of seconds")
    return value


def _read_key_set(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("is missing: a private_key_jwt client needs its public keys, as a JWK Set")
    return value


FLAG = Kind(read=_read_flag)
SECONDS = Kind(read=_read_seconds)
KEY_SET = Kind(read=_read_key_set)
ANYTHING = Kind(read=_as_it_is)
"""Not checked alone: only a rule about the whole client can check it."""
