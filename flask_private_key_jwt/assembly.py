"""Everything one app owns, put together: settings, stores and steps become one State."""

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import click
import flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine

from .authorization.logout import Logout
from .authorization.request_object import RequestObjects
from .client_auth.base import ClientAuthentication
from .client_auth.private_key_jwt import PrivateKeyJWTAuthentication
from .client_auth.public import PublicClients
from .client_auth.signature import ClientSignatures
from .client_id_document import MAX_BYTES, ClientIdDocuments, NewcomerLimit, read_client
from .client_registry import ClientRegistry
from .dpop.binding import TokenBinding
from .dpop.nonce import Nonces
from .dpop.proof import ProofChecker
from .endpoints import CONFIGURATION_PATH, MACHINE_ENDPOINTS, WELL_KNOWN, Endpoint
from .endpoints.metadata import endpoint_base, issuer_path
from .endpoints.people import People
from .endpoints.userinfo import PATH as USERINFO_PATH
from .endpoints.userinfo import build_guard
from .errors import ConfigurationError
from .keys.client_key_state import find_thumbprints
from .keys.client_key_use import ClientKeyUse
from .keys.client_keys import ClientKey, ClientKeys, read_key_set
from .keys.derived import Secrets, read_secrets
from .keys.fetch_target import fetch_policy
from .keys.remote_documents import RemoteDocuments, cache_policy
from .keys.rotation import load_schedule
from .keys.safe_fetch import SafeFetcher
from .keys.server_keys import ServerKeys
from .self_registration import SelfRegistration
from .server import AuthorizationServer, Declarations
from .settings import ASYMMETRIC_ALGS, ServerSettings, read
from .state import State
from .stores.base import ClientStore, FetchedDocumentStore, ReplayStore
from .stores.client_key_use import SQLAlchemyClientKeyUseStore
from .stores.driver import Database, EngineSource
from .stores.engine import use_wal
from .stores.models import Tables
from .stores.registration_tokens import RegistrationTokens
from .stores.replay import load_replay_store
from .stores.sqlalchemy import SQLAlchemyClientStore, SQLAlchemyReplayStore, SQLAlchemyServerKeyStore
from .stores.sqlalchemy_authorizations import SQLAlchemyAuthorizationStore
from .stores.sqlalchemy_documents import SQLAlchemyFetchedDocumentStore
from .stores.sqlalchemy_refresh_tokens import SQLAlchemyRefreshTokenStore
from .stores.sqlalchemy_registrations import SQLAlchemyRegistrations
from .stores.sqlalchemy_revocations import SQLAlchemyRevocationStore
from .tokens.access_token import AccessTokenIssuer
from .tokens.id_token import IdTokenIssuer
from .tokens.introspection import Introspection
from .tokens.issued import IssuedTokens
from .tokens.refresh_token import RefreshTokens
from .tokens.revocation import TokenRevoker
from .tokens.revoked import Revocations
from .tokens.verification import KeySource, OwnKeys, TokenVerifier

log = logging.getLogger("flask_private_key_jwt")


def assemble(app: flask.Flask, db: SQLAlchemy, tables: Tables, *, declarations: Declarations, people: People) -> State:
    """Make everything one app owns.

    :param declarations: What the application registers on the extension, shared by its apps.
    :param people: What it says of its people, shared too.
    :raises ConfigurationError: A setting is wrong or missing.
    """
    settings = read(app.config, ServerSettings)
    secrets = _read_secrets(settings, app.config)
    stores = _build_stores(settings, db, tables)
    server_keys = ServerKeys(
        stores.server_keys,
        secrets,
        alg=settings.SIGNING_ALG,
        schedule=load_schedule(settings),
        cache_seconds=settings.KEY_CACHE_SECONDS,
    )
    own_keys = OwnKeys(lambda: server_keys.current().public)
    server = _build_server(
        settings,
        secrets,
        stores,
        server_keys,
        own_keys,
        declarations=declarations,
        has_people=lambda: people.are_known(app),
    )
    registry = ClientRegistry(settings, stores.registrations, grant_types=server.grant_types)
    self_registration = SelfRegistration(
        settings,
        registry=registry,
        registrations=stores.registrations,
        tokens=stores.registration_tokens,
        replay=stores.replay,
        configuration_url=endpoint_base(settings.ISSUER) + settings.URL_PREFIX + CONFIGURATION_PATH,
    )
    return State(
        settings=settings,
        secrets=secrets,
        clients=registry,
        registration_tokens=stores.registration_tokens,
        self_registration=self_registration,
        server_keys=server_keys,
        replay=stores.replay,
        documents=stores.documents,
        server=server,
        people=people,
        logout=Logout(settings, server.clients, keys=own_keys, secrets=secrets),
        userinfo=build_guard(
            settings,
            secrets,
            app.extensions,
            own_keys=own_keys,
            url=endpoint_base(settings.ISSUER) + settings.URL_PREFIX + USERINFO_PATH,
        ),
        authorizations=stores.authorizations,
        refresh_tokens=stores.refresh_tokens,
        revocations=stores.revocations,
        endpoints=_paths(settings),
    )


@dataclass(frozen=True, slots=True)
class _Stores:
    """Where one app keeps what."""

    clients: ClientStore
    registrations: SQLAlchemyRegistrations
    registration_tokens: RegistrationTokens
    documents: FetchedDocumentStore
    server_keys: SQLAlchemyServerKeyStore
    replay: ReplayStore
    key_use: SQLAlchemyClientKeyUseStore
    authorizations: SQLAlchemyAuthorizationStore
    refresh_tokens: SQLAlchemyRefreshTokenStore
    revocations: SQLAlchemyRevocationStore


def _build_stores(settings: ServerSettings, db: SQLAlchemy, tables: Tables) -> _Stores:
    # One for all stores: what they do in a row then uses one connection, whose caches stay warm.
    database = Database(_engine_source(db, wal=settings.SQLITE_WAL))
    replay = load_replay_store(settings.REPLAY_STORE, build_sql=lambda: SQLAlchemyReplayStore(database, tables.replay))
    if settings.REPLAY_STORE == "memory":
        log.warning("OAUTH2_REPLAY_STORE is memory: right for one process only, and a restart forgets")
    return _Stores(
        clients=SQLAlchemyClientStore(database, tables, settings.CLIENT_CACHE_SIZE),
        registrations=SQLAlchemyRegistrations(database, tables, find_thumbprints=find_thumbprints),
        registration_tokens=RegistrationTokens(database, tables),
        documents=SQLAlchemyFetchedDocumentStore(database, tables),
        server_keys=SQLAlchemyServerKeyStore(database, tables),
        replay=replay,
        key_use=SQLAlchemyClientKeyUseStore(database, tables),
        authorizations=SQLAlchemyAuthorizationStore(
            database, tables.granted, keep_seconds=settings.INTERACTION_LIFETIME_SECONDS
        ),
        refresh_tokens=SQLAlchemyRefreshTokenStore(database, tables.granted),
        revocations=SQLAlchemyRevocationStore(database, tables.granted.revocation),
    )


def _build_server(
    settings: ServerSettings,
    secrets: Secrets,
    stores: _Stores,
    server_keys: ServerKeys,
    own_keys: OwnKeys,
    *,
    declarations: Declarations,
    has_people: Callable[[], bool],
) -> AuthorizationServer:
    clients = stores.clients
    # A client that only says who it is makes us fetch nothing: a document is always a client with keys.
    public_clients = PublicClients(clients, profile=settings.PROFILE)
    if settings.CLIENT_ID_METADATA_DOCUMENTS:
        clients = _with_documents(clients, settings, stores.documents, grant_types=lambda: server.grant_types())
    client_keys = ClientKeys(settings.CLIENT_CACHE_SIZE, _published_key_sets(settings, stores.documents))
    signatures = ClientSignatures(clients, client_keys)
    key_use = ClientKeyUse(stores.key_use, client_keys, size=settings.CLIENT_CACHE_SIZE)
    base = endpoint_base(settings.ISSUER) + settings.URL_PREFIX
    nonces = Nonces(secrets, purpose="as", lifetime=settings.DPOP_NONCE_LIFETIME_SECONDS)
    revocations = Revocations(settings, stores.revocations, stores.refresh_tokens)
    refresh_tokens = RefreshTokens(settings, stores.refresh_tokens, revocations)
    issued = _build_issued_tokens(settings, own_keys, refresh_tokens)
    server = AuthorizationServer(
        settings,
        clients=clients,
        client_auth=ClientAuthentication(
            PrivateKeyJWTAuthentication(settings, clients, signatures, token_url=base + "/token"), public_clients
        ),
        dpop=TokenBinding(
            ProofChecker(settings, nonces if settings.DPOP_NONCE == "required" else None),
            required=settings.DPOP_REQUIRED,
        ),
        replay=stores.replay,
        key_use=key_use,
        access_tokens=AccessTokenIssuer(settings.ISSUER, server_keys),
        id_tokens=IdTokenIssuer(settings.ISSUER, server_keys, lifetime=settings.ID_TOKEN_LIFETIME_SECONDS),
        own_keys=own_keys,
        request_objects=RequestObjects(settings, signatures, key_use),
        authorizations=stores.authorizations,
        refresh_tokens=refresh_tokens,
        revocations=revocations,
        introspection=Introspection(
            settings,
            issued=issued,
            refresh_tokens=refresh_tokens,
            revocations=revocations,
            clients=clients,
            policies=declarations.introspection,
        ),
        revoker=TokenRevoker(issued, revocations),
        declarations=declarations,
        base_url=base,
        has_people=has_people,
    )
    return server


def _build_issued_tokens(settings: ServerSettings, own_keys: KeySource, refresh_tokens: RefreshTokens) -> IssuedTokens:
    """Recognizes what this server signed, whomever it is for, by whatever algorithm it signed then."""
    verifier = TokenVerifier(
        issuer=settings.ISSUER,
        resource=None,
        algs=ASYMMETRIC_ALGS,
        max_bytes=settings.REQUEST_MAX_BYTES,
        clock_skew=settings.CLOCK_SKEW_SECONDS,
    )
    return IssuedTokens(settings, verifier=verifier, keys=own_keys, refresh_tokens=refresh_tokens)


def _published_key_sets(
    settings: ServerSettings, documents: FetchedDocumentStore
) -> RemoteDocuments[tuple[ClientKey, ...]]:
    """What clients publish at their ``jwks_uri``."""
    fetcher = SafeFetcher(fetch_policy(settings, hosts=settings.JWKS_HOSTS))
    return RemoteDocuments(documents, fetcher, cache_policy(settings), read_key_set, size=settings.CLIENT_CACHE_SIZE)


def _with_documents(
    registered: ClientStore,
    settings: ServerSettings,
    documents: FetchedDocumentStore,
    *,
    grant_types: Callable[[], Sequence[str]],
) -> ClientStore:
    """The registered clients, and those whose ``client_id`` is the URL of their registration."""
    policy = replace(fetch_policy(settings, hosts=settings.CLIENT_ID_HOSTS), max_bytes=MAX_BYTES)
    fetcher = SafeFetcher(policy)
    published = RemoteDocuments(
        documents,
        fetcher,
        cache_policy(settings),
        partial(read_client, settings=settings, grant_types=grant_types),
        size=settings.CLIENT_CACHE_SIZE,
        admit=NewcomerLimit().admit,
    )
    return ClientIdDocuments(registered, published, fetcher.check_url)


def _paths(settings: ServerSettings) -> dict[str, Endpoint]:
    """Where each endpoint answers, below the app.

    An issuer with a path names where the app is mounted, so paths start below it. They also answer with the path in
    front, for an app that is served at the root of its host behind a proxy that passes paths on unchanged.
    """
    mount = issuer_path(settings.ISSUER)
    paths: dict[str, Endpoint] = {}
    for endpoint in MACHINE_ENDPOINTS:
        if not endpoint.is_served(settings):
            continue
        paths[settings.URL_PREFIX + endpoint.path] = endpoint
        paths[mount + settings.URL_PREFIX + endpoint.path] = endpoint
    for endpoint in WELL_KNOWN:
        paths[endpoint.path + mount] = endpoint  # RFC 8414 §3.1
        paths[mount + endpoint.path] = endpoint  # OpenID Connect Discovery §4
        paths[endpoint.path] = endpoint
    return paths


def _engine_source(db: SQLAlchemy, *, wal: bool) -> EngineSource:
    """Gives the app's engine, asked at first use: only an app context has it, and ``db.init_app`` may come later."""

    def engine() -> Engine:
        found = db.engine
        if wal:
            use_wal(found)
        return found

    return engine


def _read_secrets(settings: ServerSettings, config: Mapping[str, Any]) -> Secrets:
    """The app's secrets; without any, only the commands that come before having one may run."""
    try:
        return read_secrets(settings, config)
    except ConfigurationError:
        if not _is_setup_command():
            raise
        return Secrets(())


def _is_setup_command() -> bool:
    """Whether this is ``flask db …``, ``flask oauth2 secret`` or ``--help``: they need the app, but no secret."""
    context = click.get_current_context(silent=True)
    if context is None:
        return False
    root = context.find_root()
    try:
        # Both are commands the app brings along, so click does not know yet, while the app is made, which one it runs.
        _, words, _ = root.command.make_parser(root).parse_args(sys.argv[1:])
    except click.UsageError:
        return False
    return not words or words[0] == "db" or words[:2] == ["oauth2", "secret"] or "--help" in words
