"""Builds everything one app owns: settings, stores and steps become one State. One function for each part."""

import logging
from collections.abc import Sequence

import flask
from flask_sqlalchemy import SQLAlchemy

from ..dpop.nonce import Nonces
from ..dpop.proof import ProofChecker
from ..jose.derived import Secrets
from ..settings.reading import read
from ..settings.server import ServerSettings
from ..settings.values import ASYMMETRIC_ALGS
from ..settings.weaknesses import find_weaknesses
from ..signals.events import ANNOUNCER_KEY, Announcer
from ..signals.metering import Meter
from ..signals.refusal import KEEPER_KEY
from ..tokens.scope_matching import ScopeMatcher
from ..tokens.verification import IssuerKeys, OwnKeys, TokenVerifier
from .app_secrets import read_app_secrets
from .authorization.authorizer import Authorizer
from .authorization.person_grants import PersonGrants
from .authorization.push_quota import PushQuota
from .authorization.request_object import RequestObjects
from .binding import TokenBinding
from .client_auth import CLIENT_AUTH_METHODS
from .client_auth.base import AuthenticationParts, ClientAuthentication
from .client_auth.signature import ClientSignatures
from .client_documents import build_client_keys, build_client_store, build_slots
from .endpoint import ServerEndpoint
from .endpoints import BELOW_ISSUER, CONFIGURATION_PATH, MACHINE_ENDPOINTS, WELL_KNOWN
from .endpoints.metadata import build_metadata, endpoint_base, issuer_path
from .endpoints.userinfo import PATH as USERINFO_PATH
from .endpoints.userinfo import build_guard
from .explain.keeper import RefusalKeeper
from .grants.base import GrantParts
from .grants.client_key import ClientKeyBinding
from .keys.client_key_state import find_thumbprints
from .keys.client_key_use import ClientKeyUse
from .keys.client_keys import ClientKeys
from .keys.client_secrets import ClientSecrets
from .keys.rotation import load_schedule
from .keys.server_keys import ServerKeys
from .needs import SETTLED_AT_START, Need
from .offers import Offers
from .once_only import OnceOnly
from .people import People
from .readiness import ServerReadiness
from .registration.client_secrets import ClientSecretRegistry
from .registration.overview import ClientOverviews
from .registration.quota import RegistrationQuota
from .registration.registry import ClientRegistry
from .registration.self_registration import SelfRegistration
from .server import AuthorizationServer
from .server_parts import CallerChecks, Declarations, TokenParts
from .sign_out.logout import Logout
from .state import State, current_state
from .stores.app_stores import AppStores, open_stores
from .stores.contracts import ClientStore
from .stores.tables.all_tables import Tables
from .tokens.access_token import AccessTokenIssuer
from .tokens.id_token import IdTokenIssuer
from .tokens.introspection import TokenIntrospector
from .tokens.issued import IssuedTokens
from .tokens.refresh_token import RefreshTokens
from .tokens.revocation import TokenRevoker
from .tokens.revoked import Revocations

log = logging.getLogger("flask_private_key_jwt")


def assemble(app: flask.Flask, db: SQLAlchemy, tables: Tables, *, declarations: Declarations, people: People) -> State:
    """Build everything one app owns.

    :param declarations: What the application registers on the extension, shared by its apps.
    :param people: What the application declares about its people, shared too.
    :raises ConfigurationError: A setting is wrong or missing.
    """
    settings = read(app.config, ServerSettings)
    for weakness in find_weaknesses(settings):
        log.warning(weakness)
    base_url = endpoint_base(settings.ISSUER) + settings.URL_PREFIX
    secrets = read_app_secrets(settings, app.config)
    offered, meter = Offers(settings, people, app), Meter()
    announcer = app.extensions.setdefault(ANNOUNCER_KEY, Announcer(app, log_json=settings.LOG_FORMAT == "json"))
    stores = open_stores(
        settings,
        db,
        tables,
        find_thumbprints=find_thumbprints,
        note_key_version=lambda version: server_keys.note_version(version),
        tell=announcer.tell,
        secrets=secrets,
    )
    server_keys = _build_server_keys(settings, secrets, stores)
    own_keys = OwnKeys(lambda: server_keys.current().public, lambda: server_keys.newest().public)
    slots = build_slots(settings)
    clients = build_client_store(settings, stores, slots, grant_types=lambda: server.grants.grant_types())
    client_keys = build_client_keys(settings, stores.documents, slots)
    signatures = ClientSignatures(clients, client_keys)
    key_use = ClientKeyUse(stores.key_use, client_keys, size=settings.CLIENT_CACHE_SIZE)
    client_secrets = ClientSecrets(settings, stores.client_secrets, secrets)
    binding = _build_binding(settings, secrets, meter)
    server = AuthorizationServer(
        settings,
        base_url=base_url,
        callers=CallerChecks(
            clients=clients,
            client_auth=_build_client_auth(
                settings, stores, clients, signatures, client_secrets, token_url=base_url + "/token", meter=meter
            ),
            dpop=binding,
            once_only=OnceOnly(stores.replay, key_use, client_secrets, meter, declarations.after_authentication),
        ),
        tokens=_build_tokens(
            settings,
            secrets,
            stores,
            clients,
            client_keys=client_keys,
            server_keys=server_keys,
            own_keys=own_keys,
            declarations=declarations,
        ),
        authorizer=_build_authorizer(
            settings,
            secrets,
            stores,
            clients,
            objects=RequestObjects(settings, signatures, key_use),
            own_keys=own_keys,
            scope_matchers=declarations.scope_matchers,
        ),
        declarations=declarations,
        offered=offered,
        announcer=announcer,
    )
    if settings.REFUSALS_KEPT_SECONDS:
        app.extensions[KEEPER_KEY] = RefusalKeeper(stores.refusals, app.app_context)
    registry = ClientRegistry(
        settings,
        stores.registrations,
        grant_types=server.grants.grant_types,
        secrets=ClientSecretRegistry(settings, stores.registrations, stores.client_secrets, client_secrets),
    )
    return State(
        settings=settings,
        announcer=announcer,
        secrets=secrets,
        clients=registry,
        registration_tokens=stores.registration_tokens,
        self_registration=_build_self_registration(settings, stores, registry, base_url=base_url),
        server_keys=server_keys,
        replay=stores.replay,
        counters=stores.counters,
        unused_clients=stores.unused_clients,
        documents=stores.documents,
        stores=stores,
        server=server,
        people=people,
        offered=offered,
        key_use=key_use,
        client_secrets=client_secrets,
        stored_client_secrets=stores.client_secrets,
        stored_key_use=stores.key_use,
        # A hint is read before a client is looked up, so nothing has asked the database for the keys' version yet.
        logout=Logout(settings, clients, keys=OwnKeys(lambda: server_keys.look().public), secrets=secrets),
        userinfo=build_guard(settings, secrets, app.extensions, own_keys=own_keys, url=base_url + USERINFO_PATH),
        authorizations=stores.authorizations,
        refresh_tokens=stores.refresh_tokens,
        revocations=stores.revocations,
        endpoints=_find_paths(settings, offered()),
        describe=lambda: build_metadata(current_state()),
        database=stores.database,
        trail=stores.trail,
        meter=meter,
        caches={
            "clients": stores.clients.caches,
            "client_keys": client_keys.caches,
            "proof_keys": [binding.checker.cache],
        },
        readiness=ServerReadiness(settings, stores.database, tables, replay=stores.replay, server_keys=server_keys),
        overviews=ClientOverviews(
            settings,
            registry,
            stores.documents,
            (stores.key_use, stores.person_grants),
            grant_types=server.grants.grant_types,
        ),
        person_grants=PersonGrants(
            settings,
            stores.person_grants,
            stores.documents,
            server.revocations,
            find_client=lambda client_id: found.client if (found := stores.registrations.find(client_id)) else None,
        ),
    )


def _build_server_keys(settings: ServerSettings, secrets: Secrets, stores: AppStores) -> ServerKeys:
    return ServerKeys(
        stores.server_keys,
        secrets,
        alg=settings.SIGNING_ALG,
        schedule=load_schedule(settings),
        cache_seconds=settings.KEY_CACHE_SECONDS,
    )


def _build_client_auth(
    settings: ServerSettings,
    stores: AppStores,
    clients: ClientStore,
    signatures: ClientSignatures,
    client_secrets: ClientSecrets,
    *,
    token_url: str,
    meter: Meter,
) -> ClientAuthentication:
    parts = AuthenticationParts(
        settings=settings,
        clients=clients,
        registered_clients=stores.clients,
        signatures=signatures,
        client_secrets=client_secrets,
        token_url=token_url,
        meter=meter,
    )
    return ClientAuthentication(CLIENT_AUTH_METHODS, parts)


def _build_binding(settings: ServerSettings, secrets: Secrets, meter: Meter) -> TokenBinding:
    nonces = Nonces(secrets, purpose="as", lifetime=settings.DPOP_NONCE_LIFETIME_SECONDS)
    required = nonces if settings.DPOP_NONCE == "required" else None
    checker = ProofChecker(settings, required, server=settings.ISSUER, meter=meter)
    return TokenBinding(checker, settings)


def _build_tokens(
    settings: ServerSettings,
    secrets: Secrets,
    stores: AppStores,
    clients: ClientStore,
    *,
    client_keys: ClientKeys,
    server_keys: ServerKeys,
    own_keys: IssuerKeys,
    declarations: Declarations,
) -> TokenParts:
    revocations = Revocations(settings, stores.revocations, stores.refresh_tokens)
    refresh_tokens = RefreshTokens(settings, stores.refresh_tokens, revocations, secrets)
    issued = _build_issued_tokens(settings, own_keys, refresh_tokens)
    return TokenParts(
        grants=GrantParts(
            settings, stores.authorizations, refresh_tokens, revocations, issued, declarations.scope_matchers
        ),
        client_key_binding=ClientKeyBinding(settings, clients, client_keys, refresh_tokens, revocations),
        access_tokens=AccessTokenIssuer(settings.ISSUER, server_keys),
        id_tokens=IdTokenIssuer(settings.ISSUER, server_keys, lifetime=settings.ID_TOKEN_LIFETIME_SECONDS),
        introspection=TokenIntrospector(
            settings,
            issued=issued,
            refresh_tokens=refresh_tokens,
            revocations=revocations,
            clients=clients,
            policies=declarations.introspection,
        ),
        revoker=TokenRevoker(issued, revocations, ends_sessions=settings.PROFILE == "atproto"),
    )


def _build_issued_tokens(settings: ServerSettings, own_keys: IssuerKeys, refresh_tokens: RefreshTokens) -> IssuedTokens:
    """Recognizes every token that this server signed, for any audience and with any algorithm of the past."""
    verifier = TokenVerifier(
        issuer=settings.ISSUER,
        resource=None,
        algs=ASYMMETRIC_ALGS,
        max_bytes=settings.REQUEST_MAX_BYTES,
        clock_skew=settings.CLOCK_SKEW_SECONDS,
    )
    return IssuedTokens(settings, verifier=verifier, keys=own_keys, refresh_tokens=refresh_tokens)


def _build_authorizer(
    settings: ServerSettings,
    secrets: Secrets,
    stores: AppStores,
    clients: ClientStore,
    *,
    objects: RequestObjects,
    own_keys: IssuerKeys,
    scope_matchers: Sequence[ScopeMatcher],
) -> Authorizer:
    return Authorizer(
        settings,
        clients,
        objects,
        stores.authorizations,
        own_keys=own_keys,
        app_secrets=secrets,
        push_quota=PushQuota(settings, stores.authorizations, stores.counters),
        replay=stores.replay,
        scope_matchers=scope_matchers,
    )


def _build_self_registration(
    settings: ServerSettings, stores: AppStores, registry: ClientRegistry, *, base_url: str
) -> SelfRegistration:
    return SelfRegistration(
        settings,
        registry=registry,
        registrations=stores.registrations,
        tokens=stores.registration_tokens,
        replay=stores.replay,
        quota=RegistrationQuota(settings, stores.counters),
        configuration_url=base_url + CONFIGURATION_PATH,
    )


def _find_paths(settings: ServerSettings, offered: frozenset[Need]) -> dict[str, ServerEndpoint]:
    """The path of each endpoint, relative to the app.

    If the issuer has a path, the app is usually mounted there. Each endpoint also answers with the issuer's path in
    front of its own, for an app at the root of its host behind a proxy that does not change paths.
    """
    mount = issuer_path(settings.ISSUER)
    paths: dict[str, ServerEndpoint] = {}
    for endpoint in MACHINE_ENDPOINTS:
        if endpoint.needs & SETTLED_AT_START <= offered:
            paths[settings.URL_PREFIX + endpoint.path] = endpoint
            paths[mount + settings.URL_PREFIX + endpoint.path] = endpoint
    for endpoint in WELL_KNOWN:
        paths[endpoint.path + mount] = endpoint  # RFC 8414 §3.1
        paths[mount + endpoint.path] = endpoint  # OpenID Connect Discovery §4
        paths[endpoint.path] = endpoint
    for endpoint in BELOW_ISSUER:
        if endpoint.needs & SETTLED_AT_START <= offered:
            paths[mount + endpoint.path] = endpoint
            paths[endpoint.path] = endpoint
    return paths
