"""The tables, as part of the application's own metadata, and the model of a client.

Every constraint carries its final name, so that the application's naming convention does not change it and
its migrations can name it. What a constraint refuses must never be, whoever writes: a view, a shell, ``psql``.
"""

import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
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
    false,
)
from sqlalchemy.orm import Mapped, registry, validates
from sqlalchemy.sql.elements import conv

from .... import clock
from ....database.columns import CHARSET, DIGEST, JSON_TEXT, named_check
from ....replay.table import build_replay_table
from ...readable_text import is_visible_name
from ...registered_client import MAX_CLIENT_ID_CHARACTERS, PUBLIC, RegisteredClient, is_client_id
from .grants import GRANT_TABLE_NAMES, GrantTables, build_grant_tables
from .names import check_prefix, claim_names

if TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy

log = logging.getLogger("flask_private_key_jwt")


TABLE_PREFIX = "oauth2_"
_NAMES = (
    "client",
    "client_key",
    "fetched_document",
    "registration_token",
    "server_key",
    "replay",
    "counter",
    *GRANT_TABLE_NAMES,
)
TABLE_NAMES = tuple(f"{TABLE_PREFIX}{name}" for name in _NAMES)
"""What the tables are called where the application says nothing else."""


class ClientRow(NamedTuple):
    """The columns a snapshot is made of, in the order the client store selects them."""

    client_id: str
    version: str
    enabled: bool
    owner: str | None
    client_name: str | None
    jwks: str | None
    jwks_uri: str | None
    token_endpoint_auth_method: str
    token_endpoint_auth_signing_alg: str | None
    grant_types: str
    scope: str
    default_scope: str
    dpop_bound_access_tokens: bool
    assertion_audience: str
    redirect_uris: str
    application_type: str
    require_pushed_authorization_requests: bool
    require_signed_request_object: bool
    request_object_signing_alg: str | None
    post_logout_redirect_uris: str | None
    default_max_age: int | None
    require_auth_time: bool
    introspection_resources: str | None
    registered_by: str
    client_metadata: str
    jwks_not_before: int | None


_ONE_KEY_SOURCE = (
    "(jwks IS NULL AND jwks_uri IS NOT NULL AND token_endpoint_auth_method <> 'none')"
    " OR (jwks IS NOT NULL AND jwks_uri IS NULL AND token_endpoint_auth_method <> 'none')"
    " OR (jwks IS NULL AND jwks_uri IS NULL AND token_endpoint_auth_method = 'none')"
)


class ClientModel:
    """A registered client as the database holds it (RFC 7591 §2): lists space separated, JSON as text.

    Mapped once for each ``SQLAlchemy`` object, by :func:`build_tables`. An edit through a session gives
    the row a new ``version``; of two edits at once the second raises ``StaleDataError``.
    """

    id: Mapped[int]
    client_id: Mapped[str]
    version: Mapped[str]
    enabled: Mapped[bool]
    owner: Mapped[str | None]
    client_name: Mapped[str | None]
    jwks: Mapped[str | None]
    jwks_uri: Mapped[str | None]
    token_endpoint_auth_method: Mapped[str]
    token_endpoint_auth_signing_alg: Mapped[str | None]
    grant_types: Mapped[str]
    scope: Mapped[str]
    default_scope: Mapped[str]
    dpop_bound_access_tokens: Mapped[bool]
    assertion_audience: Mapped[str]
    redirect_uris: Mapped[str]
    application_type: Mapped[str]
    require_pushed_authorization_requests: Mapped[bool]
    require_signed_request_object: Mapped[bool]
    request_object_signing_alg: Mapped[str | None]
    post_logout_redirect_uris: Mapped[str | None]
    default_max_age: Mapped[int | None]
    require_auth_time: Mapped[bool]
    introspection_resources: Mapped[str | None]
    registered_by: Mapped[str]
    client_metadata: Mapped[str]
    jwks_not_before: Mapped[int | None]
    registration_access_token_digest: Mapped[bytes | None]
    created_at: Mapped[int]
    updated_at: Mapped[int]

    def __init__(self, **columns: object) -> None:
        for name, value in columns.items():
            if name not in type(self).__annotations__ and name not in ClientModel.__annotations__:
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
        """The frozen value of this row, as every step of a request sees it."""
        return snapshot(ClientRow(*(getattr(self, name) for name in ClientRow._fields)))


@dataclass(frozen=True, slots=True)
class Tables:
    """What :func:`build_tables` made: the Core tables and the mapped client."""

    client: Table
    client_key: Table
    fetched_document: Table
    registration_token: Table
    server_key: Table
    replay: Table
    counter: Table
    granted: GrantTables
    Client: type[ClientModel]


def build_tables(db: "SQLAlchemy", *, prefix: str = TABLE_PREFIX) -> Tables:
    """Add the tables to ``db.metadata``, where the application's own migrations find them.

    :param prefix: What the names of all tables begin with, and so those of their constraints and indexes.
    :raises ConfigurationError: *db* has a table of one of these names already, or *prefix* is none.
    """
    claim_names(db, check_prefix(prefix), _NAMES)
    client = _build_client_table(db.metadata, f"{prefix}client")
    # A registry of its own: a class named Client in the application stays the only one there, and the
    # application's model_class (a dataclass, say) does not reshape this one.
    model: type[ClientModel] = type("Client", (ClientModel,), {"__doc__": ClientModel.__doc__})
    registry(metadata=db.metadata).map_imperatively(
        model, client, version_id_col=client.c.version, version_id_generator=lambda _old: _new_version()
    )
    return Tables(
        client=client,
        client_key=_build_client_key_table(db.metadata, f"{prefix}client_key"),
        fetched_document=_build_fetched_document_table(db.metadata, f"{prefix}fetched_document"),
        registration_token=_build_registration_token_table(db.metadata, f"{prefix}registration_token"),
        server_key=_build_server_key_table(db.metadata, f"{prefix}server_key"),
        replay=build_replay_table(db.metadata, f"{prefix}replay"),
        counter=_build_counter_table(db.metadata, f"{prefix}counter"),
        granted=build_grant_tables(db.metadata, prefix),
        Client=model,
    )


def _build_client_table(metadata: MetaData, name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("id", Integer),
        Column("client_id", String(MAX_CLIENT_ID_CHARACTERS), nullable=False),
        # onupdate: an UPDATE statement past the session counts as a change too.
        Column("version", String(32), nullable=False, default=_new_version, onupdate=_new_version),
        Column("enabled", Boolean, nullable=False, default=True),
        Column("owner", String(255)),
        Column("client_name", Text),
        Column("jwks", JSON_TEXT),
        Column("jwks_uri", Text),
        Column("token_endpoint_auth_method", String(48), nullable=False, default="private_key_jwt"),
        Column("token_endpoint_auth_signing_alg", String(16)),
        Column("grant_types", Text, nullable=False, default="client_credentials"),
        Column("scope", Text, nullable=False, default=""),
        Column("default_scope", Text, nullable=False, default=""),
        Column("dpop_bound_access_tokens", Boolean, nullable=False, default=False),
        Column("assertion_audience", String(16), nullable=False, default="issuer"),
        Column("redirect_uris", JSON_TEXT, nullable=False, default=""),
        Column("application_type", String(16), nullable=False, default="web"),
        Column("require_pushed_authorization_requests", Boolean, nullable=False, default=False),
        # What came later has a server default, or may be NULL: tables with clients in them get these columns too.
        Column("require_signed_request_object", Boolean, nullable=False, default=False, server_default=false()),
        Column("request_object_signing_alg", String(16)),
        Column("post_logout_redirect_uris", JSON_TEXT),
        Column("default_max_age", BigInteger),
        Column("require_auth_time", Boolean, nullable=False, default=False, server_default=false()),
        Column("introspection_resources", Text),
        Column("registered_by", String(16), nullable=False, default="operator", server_default="operator"),
        Column("client_metadata", JSON_TEXT, nullable=False, default="{}"),
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
        named_check(name, "auth_method", "token_endpoint_auth_method IN ('private_key_jwt', 'none')"),
        # Nothing but the key tells whether a public client's token is in the right hands (RFC 9700 §2.2).
        named_check(name, "public_is_bound", "token_endpoint_auth_method <> 'none' OR dpop_bound_access_tokens"),
        named_check(name, "application_type", "application_type IN ('web', 'native')"),
        named_check(name, "assertion_audience", "assertion_audience IN ('issuer', 'compatibility')"),
        named_check(name, "metadata", "client_metadata <> ''"),
        named_check(name, "times", "created_at >= 0 AND updated_at >= 0"),
        mysql_charset=CHARSET,
        mariadb_charset=CHARSET,
    )


def _build_client_key_table(metadata: MetaData, name: str) -> Table:
    """When each key of a client came and when it last signed something: for people, not for verification."""
    return Table(
        name,
        metadata,
        Column("client_id", String(MAX_CLIENT_ID_CHARACTERS)),
        Column("thumbprint", String(64)),
        Column("added_at", BigInteger, nullable=False),
        Column("last_used_at", BigInteger),
        PrimaryKeyConstraint("client_id", "thumbprint", name=conv(f"pk_{name}")),
        named_check(name, "names", "client_id <> '' AND thumbprint <> ''"),
        named_check(name, "times", "added_at >= 0 AND last_used_at >= 0"),
        mysql_charset=CHARSET,
        mariadb_charset=CHARSET,
    )


def _build_fetched_document_table(metadata: MetaData, name: str) -> Table:
    """Documents that clients publish (``jwks_uri``), as last fetched by any worker."""
    return Table(
        name,
        metadata,
        Column("url_digest", DIGEST),
        Column("url", Text, nullable=False),
        Column("body", JSON_TEXT),
        Column("fetched_at", BigInteger, nullable=False, default=0),
        Column("fresh_until", BigInteger, nullable=False, default=0),
        Column("attempted_at", BigInteger, nullable=False, default=0),
        Column("failed_at", BigInteger, nullable=False, default=0, server_default="0"),
        PrimaryKeyConstraint("url_digest", name=conv(f"pk_{name}")),
        named_check(name, "url", "url <> ''"),
        named_check(name, "times", "fetched_at >= 0 AND fresh_until >= 0 AND attempted_at >= 0"),
        mysql_charset=CHARSET,
        mariadb_charset=CHARSET,
    )


def _build_registration_token_table(metadata: MetaData, name: str) -> Table:
    """Initial access tokens of dynamic registration (RFC 7591 §3), hashed."""
    return Table(
        name,
        metadata,
        Column("digest", DIGEST),
        Column("label", String(255), nullable=False, default=""),
        Column("uses_left", Integer, nullable=False),
        Column("may_choose_client_id", Boolean, nullable=False, default=False),
        Column("created_at", BigInteger, nullable=False),
        Column("expires_at", BigInteger, nullable=False),
        PrimaryKeyConstraint("digest", name=conv(f"pk_{name}")),
        named_check(name, "uses_left", "uses_left >= 0"),
        named_check(name, "times", "created_at >= 0 AND expires_at >= created_at"),
        mysql_charset=CHARSET,
        mariadb_charset=CHARSET,
    )


def _build_server_key_table(metadata: MetaData, name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("slot", Integer, autoincrement=False),
        Column("kid", String(255), nullable=False),
        Column("alg", String(16), nullable=False),
        Column("public_jwk", Text, nullable=False),
        Column("encrypted_private_jwk", Text, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("signs_from", BigInteger, nullable=False),
        Column("retired_at", BigInteger),
        Column("version", BigInteger, nullable=False, server_default="0"),
        PrimaryKeyConstraint("slot", name=conv(f"pk_{name}")),
        UniqueConstraint("kid", name=conv(f"uq_{name}_kid")),
        named_check(name, "slot", "slot >= 1"),
        named_check(name, "names", "kid <> '' AND alg <> ''"),
        named_check(name, "jwk", "public_jwk <> '' AND encrypted_private_jwk <> ''"),
        named_check(name, "times", "created_at >= 0 AND signs_from >= created_at AND retired_at >= 0"),
        mysql_charset=CHARSET,
        mariadb_charset=CHARSET,
    )


def _build_counter_table(metadata: MetaData, name: str) -> Table:
    """What may happen so many times in a while: the name of a counter, hashed, with what is counted."""
    return Table(
        name,
        metadata,
        Column("digest", DIGEST),
        Column("counted", Integer, nullable=False),
        Column("expires_at", BigInteger, nullable=False),
        PrimaryKeyConstraint("digest", name=conv(f"pk_{name}")),
        named_check(name, "counted", "counted >= 1"),
        named_check(name, "expires_at", "expires_at >= 0"),
    )


def _new_version() -> str:
    return secrets.token_hex(16)


def _now() -> int:
    return clock.now()


def snapshot(row: ClientRow) -> RegisteredClient:
    """Turn a row into the frozen value every step speaks about.

    JSON that cannot be read leaves the client without keys: it authenticates nobody, and the log says why.
    """
    public = row.token_endpoint_auth_method == PUBLIC
    jwks = _read_object(row, "jwks") if row.jwks_uri is None and not public else None
    metadata = _read_object(row, "client_metadata")
    if row.jwks_uri is None and not public and (jwks is None or metadata is None):
        jwks = {"keys": []}
    return RegisteredClient(
        client_id=row.client_id,
        version=row.version,
        enabled=bool(row.enabled),
        jwks=jwks,
        jwks_uri=row.jwks_uri if metadata is not None else None,
        grant_types=frozenset(row.grant_types.split()),
        scope=frozenset(row.scope.split()),
        default_scope=tuple(row.default_scope.split()),
        token_endpoint_auth_method=row.token_endpoint_auth_method,
        token_endpoint_auth_signing_alg=row.token_endpoint_auth_signing_alg,
        dpop_bound_access_tokens=bool(row.dpop_bound_access_tokens),
        assertion_audience="compatibility" if row.assertion_audience == "compatibility" else "issuer",
        # People decide by it: a name they cannot see, from before that was checked, is none.
        client_name=row.client_name if row.client_name and is_visible_name(row.client_name) else None,
        owner=row.owner,
        redirect_uris=tuple(row.redirect_uris.split()),
        application_type="native" if row.application_type == "native" else "web",
        require_pushed_authorization_requests=bool(row.require_pushed_authorization_requests),
        require_signed_request_object=bool(row.require_signed_request_object),
        request_object_signing_alg=row.request_object_signing_alg,
        post_logout_redirect_uris=tuple((row.post_logout_redirect_uris or "").split()),
        default_max_age=row.default_max_age,
        require_auth_time=bool(row.require_auth_time),
        introspection_resources=tuple((row.introspection_resources or "").split()),
        registered_by="operator" if row.registered_by == "operator" else "client",
        metadata=MappingProxyType(metadata or {}),
        jwks_not_before=row.jwks_not_before or 0,
    )


def build_columns(client: RegisteredClient) -> dict[str, Any]:
    """The column values that :func:`snapshot` reads back as *client*.

    ``version`` is left to the database side, ``jwks_not_before`` to the registrations.
    """
    return {
        "client_id": client.client_id,
        "enabled": client.enabled,
        "owner": client.owner,
        "client_name": client.client_name,
        "jwks": None if client.jwks is None else json.dumps(client.jwks),
        "jwks_uri": client.jwks_uri,
        "token_endpoint_auth_method": client.token_endpoint_auth_method,
        "token_endpoint_auth_signing_alg": client.token_endpoint_auth_signing_alg,
        "grant_types": " ".join(sorted(client.grant_types)),
        "scope": " ".join(sorted(client.scope)),
        "default_scope": " ".join(client.default_scope),
        "dpop_bound_access_tokens": client.dpop_bound_access_tokens,
        "assertion_audience": client.assertion_audience,
        "redirect_uris": " ".join(client.redirect_uris),
        "application_type": client.application_type,
        "require_pushed_authorization_requests": client.require_pushed_authorization_requests,
        "require_signed_request_object": client.require_signed_request_object,
        "request_object_signing_alg": client.request_object_signing_alg,
        "post_logout_redirect_uris": " ".join(client.post_logout_redirect_uris) or None,
        "default_max_age": client.default_max_age,
        "require_auth_time": client.require_auth_time,
        "introspection_resources": " ".join(client.introspection_resources) or None,
        "registered_by": client.registered_by,
        "client_metadata": json.dumps(dict(client.metadata)),
    }


def _read_object(row: ClientRow, column: str) -> Mapping[str, Any] | None:
    try:
        value = json.loads(getattr(row, column))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        log.error("client %r cannot authenticate: its %s is not a JSON object", row.client_id, column)
        return None
    return value
