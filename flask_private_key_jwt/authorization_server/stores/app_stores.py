"""All stores of one app, on its one database."""

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from ...database.database import Database, EngineSource
from ...database.sqlite import use_wal
from ...jose.derived import Secrets
from ...replay.base import ReplayStore
from ...replay.loading import load_replay_store
from ...replay.sql import SQLAlchemyReplayStore
from ...settings.server import ServerSettings
from ...signals.events import Tell
from ..registered_client import RegisteredClient
from .contracts import FetchedDocumentStore
from .sql.audit import AuditTrail
from .sql.authorizations import SQLAlchemyAuthorizationStore
from .sql.client_key_use import SQLAlchemyClientKeyUseStore
from .sql.client_secrets import SQLAlchemyClientSecretStore
from .sql.clients import SQLAlchemyClientStore
from .sql.counters import Counters
from .sql.documents import SQLAlchemyFetchedDocumentStore
from .sql.person_grants import SQLAlchemyPersonGrantStore
from .sql.recorder import Recorder
from .sql.refresh_tokens import SQLAlchemyRefreshTokenStore
from .sql.refusals import SQLAlchemyRefusalStore
from .sql.registration_tokens import RegistrationTokens
from .sql.registrations import SQLAlchemyRegistrations
from .sql.revocations import SQLAlchemyRevocationStore
from .sql.server_keys import SQLAlchemyServerKeyStore
from .sql.unused_clients import UnusedClients
from .tables.all_tables import Tables

if TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy

FindThumbprints = Callable[[RegisteredClient], Set[str]]


@dataclass(frozen=True, slots=True)
class AppStores:
    """The stores of one app."""

    database: Database
    """The database that they are in."""
    trail: AuditTrail
    clients: SQLAlchemyClientStore
    registrations: SQLAlchemyRegistrations
    registration_tokens: RegistrationTokens
    documents: FetchedDocumentStore
    server_keys: SQLAlchemyServerKeyStore
    replay: ReplayStore
    counters: Counters
    unused_clients: UnusedClients
    key_use: SQLAlchemyClientKeyUseStore
    client_secrets: SQLAlchemyClientSecretStore
    authorizations: SQLAlchemyAuthorizationStore
    refresh_tokens: SQLAlchemyRefreshTokenStore
    revocations: SQLAlchemyRevocationStore
    person_grants: SQLAlchemyPersonGrantStore
    refusals: SQLAlchemyRefusalStore


def open_stores(
    settings: ServerSettings,
    db: "SQLAlchemy",
    tables: Tables,
    *,
    find_thumbprints: FindThumbprints,
    note_key_version: Callable[[int], None],
    tell: Tell,
    secrets: Secrets,
) -> AppStores:
    """Open the stores of the app with these *settings*.

    :param find_thumbprints: Returns the thumbprints of the keys in a client's ``jwks``.
    :param note_key_version: Called with the version of the server's own keys whenever a client is looked up.
    :param secrets: The application's.
    :param tell: Called for each event, after its change is committed.
    :raises ConfigurationError: ``OAUTH2_REPLAY_STORE`` gives no store.
    """
    # One for all stores: their statements in one request then use one connection, whose caches are warm.
    database = Database(_engine_source(db, wal=settings.SQLITE_WAL))
    trail = AuditTrail(database, tables.trail, secrets, keep_seconds=settings.AUDIT_KEEP_SECONDS)
    recorder = Recorder(database, tell, trail if settings.AUDIT == "sql" else None)
    replay = load_replay_store(
        settings.REPLAY_STORE,
        build_sql=lambda: SQLAlchemyReplayStore(database, tables.replay),
        redis_replicas=settings.REPLAY_REDIS_REPLICAS,
    )

    def is_vouched_for(client: RegisteredClient) -> bool:
        return client.is_vouched_for(settings)

    return AppStores(
        database=database,
        trail=trail,
        clients=SQLAlchemyClientStore(
            database,
            tables,
            settings.CLIENT_CACHE_SIZE,
            note_key_version=note_key_version,
            is_vouched_for=is_vouched_for,
        ),
        registrations=SQLAlchemyRegistrations(
            database, tables, find_thumbprints=find_thumbprints, is_vouched_for=is_vouched_for, recorder=recorder
        ),
        registration_tokens=RegistrationTokens(database, tables, recorder),
        documents=SQLAlchemyFetchedDocumentStore(database, tables),
        server_keys=SQLAlchemyServerKeyStore(database, tables, recorder),
        replay=replay,
        counters=Counters(database, tables),
        unused_clients=UnusedClients(
            database, tables, keep_seconds=settings.REGISTRATION_UNUSED_SECONDS, recorder=recorder
        ),
        key_use=SQLAlchemyClientKeyUseStore(database, tables, recorder),
        client_secrets=SQLAlchemyClientSecretStore(database, tables, recorder),
        authorizations=SQLAlchemyAuthorizationStore(
            database, tables.granted, keep_seconds=settings.INTERACTION_LIFETIME_SECONDS, recorder=recorder
        ),
        refresh_tokens=SQLAlchemyRefreshTokenStore(database, tables.granted, recorder),
        revocations=SQLAlchemyRevocationStore(database, tables.granted.revocation, recorder),
        person_grants=SQLAlchemyPersonGrantStore(database, tables.granted),
        refusals=SQLAlchemyRefusalStore(database, tables, keep_seconds=settings.REFUSALS_KEPT_SECONDS),
    )


def _engine_source(db: "SQLAlchemy", *, wal: bool) -> EngineSource:
    """Returns a function that finds the app's engine at first use: it needs an app context, and ``db.init_app``."""

    def find_engine() -> Engine:
        found = db.engine
        if wal:
            use_wal(found)
        return found

    return find_engine
