"""The settings of an authorization server."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from ..errors import ConfigurationError
from .shared import Algs, Seconds, SharedSettings
from .values import (
    ASYMMETRIC_ALGS,
    OFFLINE_ACCESS,
    between,
    host_names,
    port_numbers,
    replay_store,
    resource_uris,
    scope_tokens,
    url_path,
)


@dataclass(frozen=True, kw_only=True)
class ServerSettings(SharedSettings):
    """The settings of an authorization server."""

    URL_PREFIX: Annotated[str, url_path] = "/oauth2"
    """Path of the machine endpoints, below the issuer."""

    RESOURCES: Annotated[tuple[str, ...], resource_uris] = ()
    """What ``resource`` may name (RFC 8707); the first is the default ``aud``. Default: the issuer."""

    SCOPES: Annotated[tuple[str, ...], scope_tokens] = ()
    """Scopes that clients may register, advertised as ``scopes_supported``. Empty: any, and advertised are those of
    OpenID Connect where that is offered; without ``openid`` in a list that is not empty, it is not."""

    ASSERTION_LIFETIME_SECONDS: Seconds = 300
    """How far ahead of now the ``exp`` of a client assertion may lie, in seconds. 1 to 3600."""

    ASSERTION_AUDIENCE: Literal["issuer", "compatibility"] = "issuer"
    """What the operator's clients may name as the audience of an assertion: the issuer, or with ``compatibility`` also
    the URL of the token endpoint and of the endpoint they ask. ``assertion_audience`` says it for one client."""

    ASSERTION_SIGNING_ALGS: Algs = ASYMMETRIC_ALGS
    """Accepted assertion algorithms, advertised as ``token_endpoint_auth_signing_alg_values_supported``."""

    ASSERTION_MAX_BYTES: Annotated[int, between(1024, 65536)] = 8192
    """Largest accepted client assertion, in bytes. 1024 to 65536."""

    REQUIRE_SIGNED_REQUESTS: bool = False
    """Take authorization requests from every client as signed request objects only (RFC 9101 §10.5)."""

    REQUEST_OBJECT_SIGNING_ALGS: Algs = ASYMMETRIC_ALGS
    """Accepted request object algorithms, advertised as ``request_object_signing_alg_values_supported``."""

    REQUEST_OBJECT_MAX_BYTES: Annotated[int, between(1024, 65536)] = 16384
    """Largest accepted request object, in bytes. 1024 to 65536."""

    REQUEST_MAX_BYTES: Annotated[int, between(4096, 1048576)] = 65536
    """Largest accepted request body, in bytes. 4096 to 1048576."""

    DPOP_REQUIRED: bool = False
    """Issue DPoP-bound tokens only, to every client (RFC 9449 §5.2)."""

    ACCESS_TOKEN_LIFETIME_SECONDS: Annotated[int, between(10, 86400)] = 600
    """How long an access token is valid, in seconds. 10 to 86400."""

    REQUIRE_PUSHED_AUTHORIZATION_REQUESTS: bool = False
    """Take authorization requests from every client through the PAR endpoint only (RFC 9126 §5)."""

    PUSHED_REQUEST_LIFETIME_SECONDS: Annotated[int, between(5, 599)] = 90
    """How long a pushed request waits to be opened in a browser, in seconds (RFC 9126 §2.2). 5 to 599."""

    PUSHED_REQUESTS_PER_CLIENT: Annotated[int, between(10, 1000000)] = 500
    """How many pushed requests of one client may wait to be used at a time; a public client's are counted by the
    address they come from (RFC 9126 §2.3). 10 to 1000000."""

    INTERACTION_LIFETIME_SECONDS: Annotated[int, between(60, 86400)] = 1800
    """How long a person may take to sign in and to consent, once the request is opened, in seconds. 60 to 86400."""

    CODE_LIFETIME_SECONDS: Annotated[int, between(10, 600)] = 60
    """How long an authorization code is valid, in seconds (RFC 6749 §4.1.2). 10 to 600."""

    REFRESH_TOKEN_LIFETIME_SECONDS: Annotated[int, between(60, 730 * 86400)] = 90 * 86400
    """How long a person's consent lasts without asking again: all refresh tokens that come of it end then, in
    seconds. 60 to 63072000."""

    REFRESH_TOKEN_IDLE_SECONDS: Annotated[int, between(60, 730 * 86400)] = 30 * 86400
    """When a refresh token that nobody uses ends, in seconds. 60 to 63072000."""

    REFRESH_TOKEN_ROTATION: Literal["public", "all", "off"] = "public"  # noqa: S105 - whose, not a secret
    """Whose refresh tokens are replaced at each use (RFC 9700 §4.14.2). A confidential client's are bound to its own
    keys already."""

    REFRESH_TOKEN_RETRY_SECONDS: Annotated[int, between(30, 600)] = 60
    """How long a replaced refresh token may be sent again, by a client that did not get the answer, in seconds: it gets
    the same new one. Over once the new one is used. 30 to 600."""

    ID_TOKEN_LIFETIME_SECONDS: Annotated[int, between(10, 86400)] = 300
    """How long an ID token is valid, in seconds (OpenID Connect Core §2): a client reads it once. 10 to 86400."""

    SIGNING_ALG: Literal["ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "EdDSA"] = "ES256"
    """Algorithm of the tokens this server signs."""

    KEY_CACHE_SECONDS: Annotated[int, between(1, 300)] = 60
    """How often a process looks whether a signing key is due to be made or to end, in seconds. 1 to 300.

    A change by a command counts at once: see :meth:`.keys.server_keys.ServerKeys.note_version`."""

    KEY_ANNOUNCE_SECONDS: Annotated[int, between(900, 90 * 86400)] = 14 * 86400
    """How long a new signing key is published before it signs, in seconds. 900 to 7776000."""

    KEY_SIGN_SECONDS: Annotated[int, between(1800, 730 * 86400)] = 90 * 86400
    """How long a signing key signs, in seconds; more than ``KEY_ANNOUNCE_SECONDS``. 1800 to 63072000."""

    KEY_RETIRE_SECONDS: Annotated[int, between(900, 365 * 86400)] = 14 * 86400
    """How long it stays published after that, in seconds, and never less than the longest token lives.
    900 to 31536000."""

    REPLAY_STORE: Annotated[object, replay_store] = field(default="sql", repr=False)  # a URL may hold a password
    """Where used ``jti`` values are remembered: ``sql`` (the app's database), a ``redis://`` or SQLAlchemy URL,
    ``memory`` (one process only), or a store of the application's own: the object, or an import path."""

    CLIENT_CACHE_SIZE: Annotated[int, between(1, 1000000)] = 16384
    """Most clients whose parsed keys a process keeps, if they take no more than 8 kilobytes each on average.
    1 to 1000000."""

    JWKS_MIN_CACHE_SECONDS: Annotated[int, between(10, 600)] = 60
    """How long the keys at a client's ``jwks_uri`` are used before they are fetched again, whatever the answer's
    own ``Cache-Control`` says, in seconds. 10 to 600."""

    JWKS_MAX_CACHE_SECONDS: Annotated[int, between(60, 900)] = 600
    """When they are fetched again at the latest, in seconds: a key that its owner took away works no longer than
    this. 60 to 900."""

    JWKS_COOLDOWN_SECONDS: Annotated[int, between(10, 60)] = 30
    """Least time between two fetches of one ``jwks_uri``, and how soon a new key is found, in seconds. 10 to 60."""

    JWKS_STALE_SECONDS: Annotated[int, between(0, 86400)] = 3600
    """How long keys go on serving when they can no longer be fetched, in seconds. 0 to 86400."""

    JWKS_HOSTS: Annotated[tuple[str, ...], host_names] = ()
    """The only hosts a ``jwks_uri`` may name. Empty: any, at a public address."""

    CLIENT_ID_METADATA_DOCUMENTS: bool = False
    """Accept clients whose ``client_id`` is the https URL of their registration
    (draft-ietf-oauth-client-id-metadata-document)."""

    CLIENT_ID_HOSTS: Annotated[tuple[str, ...], host_names] = ()
    """The hosts such a ``client_id`` may name; there must be one. Whoever publishes there makes clients here."""

    CLIENT_ID_SCOPES: Annotated[tuple[str, ...], scope_tokens] = ()
    """Scopes that such clients may ask for; of these, what their document names."""

    FETCH_TIMEOUT_SECONDS: Annotated[int, between(2, 5)] = 3
    """Longest wait for a document that a client publishes, all of it included, in seconds. 2 to 5."""

    FETCH_CONCURRENCY: Annotated[int, between(2, 64)] = 3
    """Most threads of a process that wait for clients' servers at one time; a third of them, at least one, are for the
    operator's own clients only. Less than the threads of a worker. 2 to 64."""

    FETCH_PORTS: Annotated[tuple[str, ...], port_numbers] = ()
    """Ports besides 443 that a client's URL may name."""

    FETCH_CA_BUNDLE: str | None = None
    """Path of the certificate authorities (PEM) that clients' servers are held to. Default: certifi's."""

    FETCH_FROM_LOOPBACK: bool = False
    """For development: also fetch from 127.0.0.1, [::1] and localhost, there with any port and without TLS."""

    REGISTRATION: Literal["closed", "token", "open"] = "closed"
    """Who may register a client over HTTP (RFC 7591): nobody, who holds a registration token, or anybody."""

    REGISTRATION_SCOPES: Annotated[tuple[str, ...], scope_tokens] | None = None
    """Scopes that clients may give themselves. Not set: what they register with a registration token, and none in
    open registration or in a later update. What goes beyond is left out, and the answer says so."""

    DEFAULT_SCOPES: Annotated[tuple[str, ...], scope_tokens] = ()
    """Scopes of a new client whose registration names none (RFC 7591 §2). A client that registers itself gets those
    of them that are in ``OAUTH2_REGISTRATION_SCOPES``."""

    REGISTRATION_KEY_POSSESSION: Literal["off", "required"] = "off"
    """Whether a client that changes its keys over HTTP must prove that it holds the new ones."""

    REGISTRATION_TRUSTED: bool = False
    """Treat clients that registered themselves as the operator's own. Only where every one of them is known."""

    REGISTRATION_GRANT_TYPES: tuple[str, ...] = ()
    """Grant types of the application's own (``register_grant``) that clients may use which the operator did not
    register: those that registered themselves, and documents. Empty: they have the built-in ones only."""

    REGISTRATIONS_PER_HOUR: Annotated[int, between(1, 100000)] = 20
    """How many clients may register from one address in an hour without a registration token; a hundred times as many
    from all addresses together. 1 to 100000."""

    REGISTRATION_UNUSED_SECONDS: Annotated[int, between(0, 730 * 86400)] = 90 * 86400
    """When ``flask oauth2 purge`` deletes a client that registered itself, was never used and never changed, in
    seconds; 0: never. 0 to 63072000."""

    REGISTRATION_MAX_BYTES: Annotated[int, between(4096, 262144)] = 16384
    """Largest registration of a client that registers itself, or is a document, in bytes of JSON, keys included: every
    process keeps those it meets. 4096 to 262144."""

    SQLITE_WAL: bool = True
    """On SQLite, switch the database to WAL with ``synchronous=NORMAL``; ``False`` leaves it as it is."""

    def __post_init__(self) -> None:
        if self.KEY_ANNOUNCE_SECONDS >= self.KEY_SIGN_SECONDS:
            raise ConfigurationError(
                "OAUTH2_KEY_ANNOUNCE_SECONDS must be less than OAUTH2_KEY_SIGN_SECONDS: "
                "the next key is announced while the current one signs."
            )
        if self.JWKS_MIN_CACHE_SECONDS > self.JWKS_MAX_CACHE_SECONDS:
            raise ConfigurationError(
                "OAUTH2_JWKS_MIN_CACHE_SECONDS must not be more than OAUTH2_JWKS_MAX_CACHE_SECONDS."
            )
        if self.CLIENT_ID_METADATA_DOCUMENTS and not self.CLIENT_ID_HOSTS:
            raise ConfigurationError(
                "OAUTH2_CLIENT_ID_METADATA_DOCUMENTS needs OAUTH2_CLIENT_ID_HOSTS: whose documents are clients here."
            )
        for name in ("CLIENT_ID_SCOPES", "REGISTRATION_SCOPES", "DEFAULT_SCOPES"):
            if self.SCOPES and (unknown := set(getattr(self, name) or ()) - {*self.SCOPES, OFFLINE_ACCESS}):
                raise ConfigurationError(f"OAUTH2_{name} holds {min(unknown)!r}, which is not in OAUTH2_SCOPES.")

    @property
    def resources(self) -> tuple[str, ...]:
        """``OAUTH2_RESOURCES``, or the issuer when it is empty."""
        return self.RESOURCES or (self.ISSUER,)
