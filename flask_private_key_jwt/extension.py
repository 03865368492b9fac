"""PrivateKeyJWT: settings, stores and steps become one State per app."""

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import click
import flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine

from .cli import oauth2_group
from .client_auth.base import ClientAuthentication
from .client_auth.private_key_jwt import PrivateKeyJWTAuthentication
from .client_auth.public import PublicClients
from .client_id_document import MAX_BYTES, ClientIdDocuments, NewcomerLimit, read_client
from .client_registry import ClientRegistry
from .dpop.binding import TokenBinding
from .dpop.nonce import Nonces
from .dpop.proof import ProofChecker
from .endpoints import CONFIGURATION_PATH, MACHINE_ENDPOINTS, WELL_KNOWN, Endpoint, MachineEndpoints
from .endpoints.metadata import endpoint_base, issuer_path
from .endpoints.people import ConsentView, People, SignInPage, UserLoader, listen_to_flask_login
from .errors import ConfigurationError
from .grants.policy import TokenPolicy, check_grant_class
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
from .settings import ServerSettings, read
from .state import EXTENSION_KEY, State, current_state
from .stores.base import ClientStore, FetchedDocumentStore
from .stores.client_key_use import SQLAlchemyClientKeyUseStore
from .stores.driver import Database, EngineSource
from .stores.engine import use_wal
from .stores.models import build_tables
from .stores.registration_tokens import RegistrationTokens
from .stores.replay import load_replay_store
from .stores.sqlalchemy import SQLAlchemyClientStore, SQLAlchemyReplayStore, SQLAlchemyServerKeyStore
from .stores.sqlalchemy_authorizations import SQLAlchemyAuthorizationStore
from .stores.sqlalchemy_documents import SQLAlchemyFetchedDocumentStore
from .stores.sqlalchemy_refresh_tokens import SQLAlchemyRefreshTokenStore
from .stores.sqlalchemy_registrations import SQLAlchemyRegistrations
from .tokens.access_token import AccessTokenIssuer
from .tokens.refresh_token import RefreshTokens

log = logging.getLogger("flask_private_key_jwt")


class PrivateKeyJWT:
    """Makes Flask apps authorization servers whose clients hold no shared secret.

    :param db: The application's Flask-SQLAlchemy object; the tables join its metadata.
    :param app: An app to initialise at once; factories call :meth:`init_app` instead.
    """

    def __init__(self, db: SQLAlchemy, app: flask.Flask | None = None) -> None:
        self._db = db
        self._tables = build_tables(db)
        self._declarations = Declarations()
        self._people = People()
        self.Client = self._tables.Client
        """The client model (a Flask-SQLAlchemy model)."""
        if app is not None:
            self.init_app(app)

    def init_app(self, app: flask.Flask) -> None:
        """Read the settings of *app* and add the endpoints and the ``flask oauth2`` commands.

        :raises ConfigurationError: A setting is wrong or missing, or *app* was initialised before.
        """
        if EXTENSION_KEY in app.extensions:
            raise ConfigurationError("init_app was called on this app before.")
        settings = read(app.config, ServerSettings)
        secrets = _read_secrets(settings, app.config)
        # One for all stores: what they do in a row then uses one connection, whose caches stay warm.
        database = Database(_engine_source(self._db, wal=settings.SQLITE_WAL))
        documents = SQLAlchemyFetchedDocumentStore(database, self._tables)
        clients: ClientStore = SQLAlchemyClientStore(database, self._tables, settings.CLIENT_CACHE_SIZE)
        # A client that only says who it is makes us fetch nothing: a document is always a client with keys.
        public_clients = PublicClients(clients, profile=settings.PROFILE)
        if settings.CLIENT_ID_METADATA_DOCUMENTS:
            clients = _with_documents(clients, settings, documents, grant_types=lambda: server.grant_types())
        server_keys = ServerKeys(
            SQLAlchemyServerKeyStore(database, self._tables),
            secrets,
            alg=settings.SIGNING_ALG,
            schedule=load_schedule(settings),
            cache_seconds=settings.KEY_CACHE_SECONDS,
        )
        replay = load_replay_store(
            settings.REPLAY_STORE, build_sql=lambda: SQLAlchemyReplayStore(database, self._tables.replay)
        )
        if settings.REPLAY_STORE == "memory":
            log.warning("OAUTH2_REPLAY_STORE is memory: right for one process only, and a restart forgets")
        client_keys = ClientKeys(settings.CLIENT_CACHE_SIZE, _published_key_sets(settings, documents))
        key_use_store = SQLAlchemyClientKeyUseStore(database, self._tables)
        authorizations = SQLAlchemyAuthorizationStore(
            database, self._tables.granted, keep_seconds=settings.INTERACTION_LIFETIME_SECONDS
        )
        refresh_tokens = SQLAlchemyRefreshTokenStore(database, self._tables.granted)
        token_url = endpoint_base(settings.ISSUER) + settings.URL_PREFIX + "/token"
        nonces = Nonces(secrets, purpose="as", lifetime=settings.DPOP_NONCE_LIFETIME_SECONDS)
        server = AuthorizationServer(
            settings,
            clients=clients,
            client_auth=ClientAuthentication(
                PrivateKeyJWTAuthentication(settings, clients, client_keys, token_url=token_url),
                public_clients,
            ),
            dpop=TokenBinding(
                ProofChecker(settings, nonces if settings.DPOP_NONCE == "required" else None),
                required=settings.DPOP_REQUIRED,
            ),
            replay=replay,
            key_use=ClientKeyUse(key_use_store, client_keys, size=settings.CLIENT_CACHE_SIZE),
            access_tokens=AccessTokenIssuer(settings.ISSUER, server_keys),
            authorizations=authorizations,
            refresh_tokens=RefreshTokens(settings, refresh_tokens),
            declarations=self._declarations,
            token_url=token_url,
            par_url=endpoint_base(settings.ISSUER) + settings.URL_PREFIX + "/par",
            has_people=lambda: self._people.are_known(app),
        )
        registrations = SQLAlchemyRegistrations(database, self._tables, find_thumbprints=find_thumbprints)
        registry = ClientRegistry(settings, registrations, grant_types=server.grant_types)
        tokens = RegistrationTokens(database, self._tables)
        self_registration = SelfRegistration(
            settings,
            registry=registry,
            registrations=registrations,
            tokens=tokens,
            replay=replay,
            configuration_url=endpoint_base(settings.ISSUER) + settings.URL_PREFIX + CONFIGURATION_PATH,
        )
        endpoints = _paths(settings)
        app.extensions[EXTENSION_KEY] = State(
            settings=settings,
            secrets=secrets,
            clients=registry,
            registration_tokens=tokens,
            self_registration=self_registration,
            server_keys=server_keys,
            replay=replay,
            documents=documents,
            server=server,
            people=self._people,
            authorizations=authorizations,
            refresh_tokens=refresh_tokens,
            endpoints=endpoints,
        )
        MachineEndpoints(endpoints).install(app)
        # Its templates come after the app's own of the same name.
        app.register_blueprint(flask.Blueprint(EXTENSION_KEY, __name__, template_folder="templates"))
        listen_to_flask_login(app)
        app.cli.add_command(oauth2_group)

    @property
    def clients(self) -> ClientRegistry:
        """The clients of the current app: ``add``, ``update``, ``disable`` …"""
        return current_state().clients

    @property
    def registration_tokens(self) -> RegistrationTokens:
        """The registration tokens of the current app: ``create``, ``all``, ``revoke`` …"""
        return current_state().registration_tokens

    def register_grant(self, grant_class: Any, extensions: Any = None) -> None:
        """Register a grant of the application's own, as with Authlib's server; it goes before ours of the same name.

        :raises ConfigurationError: It does not accept ``private_key_jwt``; the message says what to add.
        """
        check_grant_class(grant_class)
        self._declarations.grants.append((grant_class, extensions))

    def user(self, load_user: UserLoader) -> UserLoader:
        """Register the function that says who is signed in at the current browser: a user, or ``None``.

        A user has ``get_id()``, as Flask-Login's do, or ``get_user_id()``, as Authlib's: the ``sub`` of their tokens.
        Without this function the user is Flask-Login's ``current_user``. An application with neither has no
        authorization endpoint.
        """
        self._people.load_user = load_user
        return load_user

    def sign_in(self, page: SignInPage) -> SignInPage:
        """Register the function that sends the browser to where people sign in; it gets a :class:`SignIn`.

        Without it that is Flask-Login's ``login_manager.login_view``. The page sends the browser to
        :attr:`SignIn.return_url` afterwards, and calls :func:`note_sign_in` unless it signs in with Flask-Login.
        """
        self._people.sign_in = page
        return page

    def consent(self, view: ConsentView) -> ConsentView:
        """Register a function that shows the consent page in place of ours; it gets a :class:`ConsentPage`.

        To change only its looks, give the app a template ``private_key_jwt/consent.html``.
        """
        self._people.consent = view
        return view

    def revoke(self, *, subject: str | None = None, client_id: str | None = None) -> int:
        """Revoke what a person has granted, or a client holds, or that person to that client; forget the consents.

        Refresh tokens and unredeemed codes end at once, access tokens where revocation is looked up.

        :return: How many grants there were.
        :raises StoreUnavailable: The database did not answer.
        """
        return current_state().server.refresh_tokens.revoke_all(subject=subject, client_id=client_id)

    def token_policy(self, policy: TokenPolicy) -> TokenPolicy:
        """Register a function that may add claims to a token, or refuse it by raising an OAuthError.

        It is called with the :class:`RegisteredClient`, the :class:`FormRequest` and the :class:`Grant`, and returns
        claims or ``None``. Claims the server sets itself are protected.
        """
        self._declarations.policies.append(policy)
        return policy


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
    paths[WELL_KNOWN.path + mount] = WELL_KNOWN
    paths[WELL_KNOWN.path] = WELL_KNOWN
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
