"""How a registered client is stored: its table, its row, and the model that an application sees.

A member that SQL looks for, or that a constraint guards, has a column. Every other member is in ``client_metadata``,
one JSON object with the names of RFC 7591, so that a new member needs no migration.
"""

import json
import logging
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, validates
from sqlalchemy.sql.elements import conv

from .... import clock
from ....database.columns import CHARSET, DIGEST, JSON_TEXT, named_check
from ...client_members import Member, dump_members, load_members
from ...registered_client import MAX_CLIENT_ID_CHARACTERS, MEMBERS, PUBLIC, RegisteredClient, is_client_id

log = logging.getLogger("flask_private_key_jwt")

_KEYS = "private_key_jwt"
# Which methods there are, and which of them need keys, is decided by the table of methods. The constraint only knows
# two: the one whose clients always have keys, and the one whose clients never have.
_ONE_KEY_SOURCE = (
    "(jwks IS NULL AND jwks_uri IS NULL AND token_endpoint_auth_method <> 'private_key_jwt')"
    " OR (jwks IS NULL AND jwks_uri IS NOT NULL AND token_endpoint_auth_method <> 'none')"
    " OR (jwks IS NOT NULL AND jwks_uri IS NULL AND token_endpoint_auth_method <> 'none')"
)
_GRANT_TYPES = "grant_types"
"""The one member that ``client_metadata`` always has. A row without it may still have its members in former columns, so
nobody knows what the client may do."""
_BOUND = "dpop_bound_access_tokens"
"""Its column is true for every public client, by a constraint. ``client_metadata`` has it too, as false, for one that
may have Bearer tokens. A worker of an older version does not look there, and gives it none."""
_DEFAULT_METADATA = json.dumps({_GRANT_TYPES: ["client_credentials"]})


class ClientRow(NamedTuple):
    """The columns of a snapshot, in the order in which the client store selects them."""

    client_id: str
    version: str
    enabled: bool
    owner: str | None
    jwks: str | None
    jwks_uri: str | None
    token_endpoint_auth_method: str
    dpop_bound_access_tokens: bool
    assertion_audience: str
    application_type: str
    registered_by: str
    client_metadata: str
    jwks_not_before: int | None


def build_client_table(metadata: MetaData, name: str) -> Table:
    """Add the table of clients to *metadata*."""
    return Table(
        name,
        metadata,
        Column("id", Integer),
        Column("client_id", String(MAX_CLIENT_ID_CHARACTERS), nullable=False),
        # onupdate: an UPDATE statement that bypasses the session counts as a change too.
        Column("version", String(32), nullable=False, default=new_version, onupdate=new_version),
        Column("enabled", Boolean, nullable=False, default=True),
        Column("owner", String(255)),
        Column("jwks", JSON_TEXT),
        Column("jwks_uri", Text),
        Column("token_endpoint_auth_method", String(48), nullable=False, default=_KEYS),
        Column("dpop_bound_access_tokens", Boolean, nullable=False, default=False),
        Column("assertion_audience", String(16), nullable=False, default="issuer"),
        Column("application_type", String(16), nullable=False, default="web"),
        # Columns added later have a server default or may be NULL, because they are added to tables with rows.
        Column("registered_by", String(16), nullable=False, default="operator", server_default="operator"),
        Column("client_metadata", JSON_TEXT, nullable=False, default=_DEFAULT_METADATA),
        Column("jwks_not_before", BigInteger),
        Column("registration_access_token_digest", DIGEST),
        Column("created_at", BigInteger, nullable=False, default=_now),
        Column("updated_at", BigInteger, nullable=False, default=_now, onupdate=_now),
        PrimaryKeyConstraint("id", name=conv(f"pk_{name}")),
        UniqueConstraint("client_id", name=conv(f"uq_{name}_client_id")),
        named_check(name, "client_id", "client_id <> ''"),
        named_check(name, "version", "version <> ''"),
        named_check(name, "jwks", """jwks NOT IN ('', 'null', '[]', '{}', '{"keys":[]}', '{"keys": []}')"""),
        named_check(name, "one_key_source", _ONE_KEY_SOURCE),
        named_check(name, "jwks_uri", "jwks_uri <> ''"),
        named_check(name, "auth_method", "token_endpoint_auth_method <> ''"),
        # Only the key shows that a public client's token was not stolen (RFC 9700 §2.2). For the exception, see _BOUND.
        named_check(name, "public_is_bound", "token_endpoint_auth_method <> 'none' OR dpop_bound_access_tokens"),
        named_check(name, "application_type", "application_type IN ('web', 'native')"),
        named_check(name, "assertion_audience", "assertion_audience IN ('issuer', 'compatibility')"),
        named_check(name, "metadata", "client_metadata <> ''"),
        named_check(name, "times", "created_at >= 0 AND updated_at >= 0"),
        mysql_charset=CHARSET,
        mariadb_charset=CHARSET,
    )


# --- between a row and a client ----------------------------------------------------------------------------
def snapshot(row: ClientRow) -> RegisteredClient:
    """Turn a row into the frozen snapshot that all steps work with.

    If the row cannot be read, the client has no keys, no grant types and nothing else: it cannot authenticate, and the
    log says why.
    """
    public = row.token_endpoint_auth_method == PUBLIC
    has_jwks = row.jwks is not None or row.token_endpoint_auth_method == _KEYS
    members: dict[str, Any] = {_GRANT_TYPES: frozenset()}
    jwks: Mapping[str, Any] | None = None
    jwks_uri, bound = row.jwks_uri, bool(row.dpop_bound_access_tokens)
    try:
        kept = _read_metadata(row.client_metadata)
        members = load_members(MEMBERS, kept)
        bound = bound and not (public and kept.get(_BOUND) is False)
        if jwks_uri is None and has_jwks and not public:
            jwks = _read_object("jwks", row.jwks)
    except ValueError as error:
        log.error("client %r cannot authenticate: its %s", row.client_id, error)
        jwks, jwks_uri = (None if public else {"keys": []}), None
    return RegisteredClient(
        client_id=row.client_id,
        version=row.version,
        enabled=bool(row.enabled),
        owner=row.owner,
        jwks=jwks,
        jwks_uri=jwks_uri,
        token_endpoint_auth_method=row.token_endpoint_auth_method,
        dpop_bound_access_tokens=bound,
        assertion_audience="compatibility" if row.assertion_audience == "compatibility" else "issuer",
        application_type="native" if row.application_type == "native" else "web",
        registered_by="operator" if row.registered_by == "operator" else "client",
        jwks_not_before=row.jwks_not_before or 0,
        **members,
    )


def build_columns(client: RegisteredClient) -> dict[str, Any]:
    """The column values that :func:`snapshot` reads back as *client*.

    The caller adds ``version`` and ``jwks_not_before``.
    """
    takes_bearer_tokens = client.is_public and not client.dpop_bound_access_tokens
    kept = {**dump_members(MEMBERS, client), **({_BOUND: False} if takes_bearer_tokens else {})}
    return {
        **{name: getattr(client, name) for name, member in MEMBERS.items() if member.has_column},
        **({_BOUND: True} if takes_bearer_tokens else {}),
        "jwks": None if client.jwks is None else json.dumps(client.jwks),
        "registered_by": client.registered_by,
        "client_metadata": json.dumps(kept),
    }


def find_grant_types(client_metadata: str) -> frozenset[str] | None:
    """The grant types of a row; ``None`` if they cannot be read."""
    try:
        grant_types: frozenset[str] = MEMBERS[_GRANT_TYPES].kind.read(_read_metadata(client_metadata)[_GRANT_TYPES])
    except ValueError:
        return None
    return grant_types


def is_gathered(client_metadata: str) -> bool:
    """Whether a row has its members in ``client_metadata``; if not, it may be older than that."""
    return f'"{_GRANT_TYPES}"' in client_metadata


def _read_metadata(client_metadata: str) -> Mapping[str, Any]:
    members = _read_object("client_metadata", client_metadata)
    if _GRANT_TYPES not in members:
        raise ValueError(f"client_metadata has no {_GRANT_TYPES}, as if no migration had called gather_client_metadata")
    return members


def _read_object(column: str, text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text or "")
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ValueError(f"{column} is not a JSON object")
    return value


def new_version() -> str:
    """A version that no client ever had."""
    return secrets.token_hex(16)


def _now() -> int:
    return clock.now()


# --- the model ---------------------------------------------------------------------------------------------
class ClientModel:
    """A registered client as the database has it (RFC 7591 §2).

    Mapped once for each ``SQLAlchemy`` object, by :func:`.all_tables.build_tables`. An edit through a session gives
    the row a new ``version``; if two edits happen at the same time, the second raises ``StaleDataError``.

    The members in ``client_metadata`` are attributes too, with their JSON values: ``client.scope`` is a string,
    ``client.redirect_uris`` a list. To change a list, set a new one: a change inside a list is not saved. SQL cannot
    search these members.
    """

    id: Mapped[int]
    client_id: Mapped[str]
    version: Mapped[str]
    enabled: Mapped[bool]
    owner: Mapped[str | None]
    jwks: Mapped[str | None]
    jwks_uri: Mapped[str | None]
    token_endpoint_auth_method: Mapped[str]
    dpop_bound_access_tokens: Mapped[bool]
    assertion_audience: Mapped[str]
    application_type: Mapped[str]
    registered_by: Mapped[str]
    client_metadata: Mapped[str]
    jwks_not_before: Mapped[int | None]
    registration_access_token_digest: Mapped[bytes | None]
    created_at: Mapped[int]
    updated_at: Mapped[int]

    if TYPE_CHECKING:

        def __getattr__(self, member: str) -> Any:
            """A member in ``client_metadata``."""

    def __init__(self, **values: object) -> None:
        for name, value in sorted(values.items(), key=lambda item: item[0] != "client_metadata"):
            if (
                name not in type(self).__annotations__
                and name not in ClientModel.__annotations__
                and name not in MEMBERS
            ):
                raise TypeError(f"a client has no column {name!r}")
            setattr(self, name, value)

    def __repr__(self) -> str:
        return f"<Client {self.client_id!r}{'' if self.enabled else ', disabled'}>"

    @validates("client_id")
    def _check_client_id(self, _name: str, value: str) -> str:
        if not is_client_id(value):
            raise ValueError(f"a client_id is 1 to {MAX_CLIENT_ID_CHARACTERS} printable ASCII characters")
        return value

    def snapshot(self) -> RegisteredClient:
        """The frozen snapshot of this row, as the steps of a request use it."""
        return snapshot(ClientRow(*(getattr(self, name) for name in ClientRow._fields)))


class _MemberAttribute:
    """A member in ``client_metadata``, as an attribute of the model."""

    def __init__(self, name: str, member: Member) -> None:
        self._name = name
        self._member = member

    def __get__(self, client: ClientModel | None, _owner: type) -> Any:
        if client is None:
            raise AttributeError(f"{self._name} is a member in client_metadata, and no column that SQL could look for")
        absent = self._member.default
        try:
            members = self._load(client)
        except ValueError:  # a page that lists clients must not fail; the log says which one cannot authenticate
            return None
        return members.get(self._name, None if absent is None else self._member.kind.write(absent))

    def __set__(self, client: ClientModel, value: Any) -> None:
        """Replace the member with *value*; ``None`` removes it.

        :raises ValueError: The value has the wrong type, or the row's ``client_metadata`` cannot be read.
        """
        members = self._load(client)
        if value is None:
            members.pop(self._name, None)
        else:
            try:
                self._member.kind.read(value)
            except ValueError as error:
                raise ValueError(f"{self._name} {error}") from None
            members[self._name] = value
        client.client_metadata = json.dumps(members)

    @staticmethod
    def _load(client: ClientModel) -> dict[str, Any]:
        return _read_object("client_metadata", client.client_metadata or _DEFAULT_METADATA)


for _name, _member in MEMBERS.items():
    if not _member.has_column:
        setattr(ClientModel, _name, _MemberAttribute(_name, _member))
