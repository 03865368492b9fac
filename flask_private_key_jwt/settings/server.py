"""The settings of an authorization server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, cast

from ..errors import ConfigurationError
from ..web.url import read_url
from .profiles.smart import OPENID_CAPABILITY
from .shared import Algs, Seconds, SharedSettings
from .values import (
    ANY_HOST,
    ASYMMETRIC_ALGS,
    OFFLINE_ACCESS,
    between,
    descriptions,
    host_names,
    host_names_or_any,
    language_tags,
    moment,
    port_numbers,
    read_moment,
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

    REQUIRE_RESOURCE: bool = False
    """Refuse an authorization request without ``resource``, and a code that is redeemed without it. A refresh token is
    then for the resources that the exchange of the code named."""

    SCOPES: Annotated[tuple[str, ...], scope_tokens] = ()
    """Scopes that clients may register, advertised as ``scopes_supported``. Empty: any scope; advertised are then those
    of OpenID Connect, if it is offered. A list without ``openid`` turns OpenID Connect off."""

    ASSERTION_LIFETIME_SECONDS: Seconds = 300
    """How far ahead of now the ``exp`` of a client assertion may lie, in seconds. 1 to 3600."""

    ASSERTION_AUDIENCE: Literal["issuer", "compatibility"] = "issuer"
    """What the operator's clients may name as the audience of an assertion: the issuer; with ``compatibility`` also
    the URL of the token endpoint and of the endpoint they call. ``assertion_audience`` sets it for one client."""

    ASSERTION_SIGNING_ALGS: Algs = ASYMMETRIC_ALGS
    """Accepted assertion algorithms, advertised as ``token_endpoint_auth_signing_alg_values_supported``."""

    ASSERTION_MAX_BYTES: Annotated[int, between(1024, 65536)] = 8192
    """Largest accepted client assertion, in bytes. 1024 to 65536."""

    CLIENT_SECRETS_UNTIL: Annotated[str, moment] | None = None
    """Until when clients may authenticate with a shared secret that the operator gave them: an ISO 8601 date or time in
    UTC, exclusive. Not set: never. Meant for the move from secrets to keys."""

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

    PUBLIC_BEARER_TOKENS: bool = False
    """Give public clients that show no DPoP proof Bearer tokens: of 600 seconds at most, for one resource each, with
    refresh tokens that are replaced at each use. Whoever has such a token can use it (RFC 9700 §2.2.2). ``False``: the
    tokens of public clients are always bound to a key."""

    ACCESS_TOKEN_LIFETIME_SECONDS: Annotated[int, between(10, 86400)] = 600
    """How long an access token is valid, in seconds. 10 to 86400."""

    REQUIRE_PUSHED_AUTHORIZATION_REQUESTS: bool = False
    """Take authorization requests from every client through the PAR endpoint only (RFC 9126 §5)."""

    PUSHED_REQUEST_LIFETIME_SECONDS: Annotated[int, between(5, 599)] = 90
    """How long a pushed request waits to be opened in a browser, in seconds (RFC 9126 §2.2). 5 to 599."""

    PUSHED_REQUESTS_PER_CLIENT: Annotated[int, between(10, 1000000)] = 500
    """How many unused pushed requests one client may have at a time; those of a public client are counted for each
    address they come from (RFC 9126 §2.3). 10 to 1000000."""

    INTERACTION_LIFETIME_SECONDS: Annotated[int, between(60, 86400)] = 1800
    """How long a person may take to sign in and to consent, once the request is opened, in seconds. 60 to 86400."""

    CODE_LIFETIME_SECONDS: Annotated[int, between(10, 600)] = 60
    """How long an authorization code is valid, in seconds (RFC 6749 §4.1.2). 10 to 600."""

    REFRESH_TOKEN_LIFETIME_SECONDS: Annotated[int, between(60, 730 * 86400)] = 90 * 86400
    """How long the refresh tokens that come from one consent of a person work, in seconds: then the person is asked
    again. 60 to 63072000."""

    REFRESH_TOKEN_IDLE_SECONDS: Annotated[int, between(60, 730 * 86400)] = 30 * 86400
    """After how long an unused refresh token expires, in seconds. 60 to 63072000."""

    PUBLIC_REFRESH_TOKEN_LIFETIME_SECONDS: Annotated[int, between(60, 730 * 86400)] | None = None
    """The same as ``REFRESH_TOKEN_LIFETIME_SECONDS`` for public clients, if they are to have less. 60 to 63072000."""

    PUBLIC_REFRESH_TOKEN_IDLE_SECONDS: Annotated[int, between(60, 730 * 86400)] | None = None
    """The same as ``REFRESH_TOKEN_IDLE_SECONDS`` for public clients, if they are to have less. 60 to 63072000."""

    REFRESH_TOKEN_ROTATION: Literal["public", "all", "off"] = "public"  # noqa: S105 - whose, not a secret
    """Whose refresh tokens are replaced at each use (RFC 9700 §4.14.2). Those of a confidential client are bound to its
    keys already."""

    REFRESH_TOKEN_RETRY_SECONDS: Annotated[int, between(30, 600)] = 60
    """How long a client that did not get the answer may send a replaced refresh token again, in seconds: it gets the
    same new one. Ends when the new one is used, and after 10 seconds if the token is a public client's and bound to no
    key. 30 to 600."""

    ID_TOKEN_LIFETIME_SECONDS: Annotated[int, between(10, 86400)] = 300
    """How long an ID token is valid, in seconds (OpenID Connect Core §2); a client reads it only once. 10 to 86400."""

    SIGNING_ALG: Literal["ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "EdDSA"] = "ES256"
    """Algorithm of the tokens this server signs."""

    KEY_CACHE_SECONDS: Annotated[int, between(1, 300)] = 60
    """How often a process checks whether to make or to end a signing key, in seconds. 1 to 300.

    A change by a command takes effect at once: see :meth:`.keys.server_keys.ServerKeys.note_version`."""

    KEY_ANNOUNCE_SECONDS: Annotated[int, between(900, 90 * 86400)] = 14 * 86400
    """How long a new signing key is published before it signs, in seconds. 900 to 7776000."""

    KEY_SIGN_SECONDS: Annotated[int, between(1800, 730 * 86400)] = 90 * 86400
    """How long a signing key signs, in seconds; more than ``KEY_ANNOUNCE_SECONDS``. 1800 to 63072000."""

    KEY_RETIRE_SECONDS: Annotated[int, between(900, 365 * 86400)] = 14 * 86400
    """How long a signing key stays published after it stopped signing, in seconds; at least the lifetime of the longest
    token. 900 to 31536000."""

    REPLAY_STORE: Annotated[object, replay_store] = field(default="sql", repr=False)  # a URL may hold a password
    """Where used ``jti`` values are remembered: ``sql`` (the app's database), a ``redis://`` or SQLAlchemy URL,
    ``memory`` (one process only), or a store of the application's own: the object, or an import path."""

    CLIENT_CACHE_SIZE: Annotated[int, between(1, 1000000)] = 16384
    """Most clients whose parsed keys a process keeps; fewer if they take more than 8 kilobytes each on average.
    1 to 1000000."""

    JWKS_MIN_CACHE_SECONDS: Annotated[int, between(10, 600)] = 60
    """Shortest time that the keys from a client's ``jwks_uri`` are used before they are fetched again, even if
    ``Cache-Control`` of the answer says less, in seconds. 10 to 600."""

    JWKS_MAX_CACHE_SECONDS: Annotated[int, between(60, 900)] = 600
    """Longest time that they are used before they are fetched again, in seconds: a key that its owner removed works no
    longer than this. 60 to 900."""

    JWKS_COOLDOWN_SECONDS: Annotated[int, between(10, 60)] = 30
    """Shortest time between two fetches of one ``jwks_uri``, and so the longest until a new key works, in seconds.
    10 to 60."""

    JWKS_STALE_SECONDS: Annotated[int, between(0, 86400)] = 3600
    """How long the old keys are used when they can no longer be fetched, in seconds. 0 to 86400."""

    JWKS_HOSTS: Annotated[tuple[str, ...], host_names] = ()
    """The only hosts that a ``jwks_uri`` may name. Empty: any host with a public address."""

    ALLOWED_REDIRECTS: Literal["application_type", "https_or_loopback"] = "application_type"
    """Which redirect URIs clients may have. ``application_type``: https; a native client also http on loopback, and
    private schemes. ``https_or_loopback``: https, and http on loopback at any port, whatever the client says it is."""

    CLIENT_ID_METADATA_DOCUMENTS: bool = False
    """Accept clients whose ``client_id`` is the https URL of their registration
    (draft-ietf-oauth-client-id-metadata-document)."""

    CLIENT_ID_HOSTS: Annotated[tuple[str, ...], host_names_or_any] = ()
    """The hosts that such a ``client_id`` may name; at least one. Anyone who can publish there can create clients
    here. ``["*"]``: any host with a public address; ``OAUTH2_CLIENT_ID_SCOPES`` must then say what strangers get."""

    CLIENT_ID_SCOPES: Annotated[tuple[str, ...], scope_tokens] = ()
    """Scopes that such clients may have; a client gets those of them that its document names."""

    CLIENT_ID_CONSENT_SECONDS: Annotated[int, between(0, 730 * 86400)] = 30 * 86400
    """Where ``OAUTH2_CLIENT_ID_HOSTS`` is ``["*"]``: after how long a person who allowed such a client is asked again,
    in seconds, because its domain may have another owner by then; 0: each time. 0 to 63072000."""

    CLIENT_ID_PUBLIC_CLIENTS: bool = False
    """Accept such documents from public clients too (``token_endpoint_auth_method: none``)."""

    LOCALHOST_CLIENT_IDS: bool = False
    """Under ``atproto``: accept development clients, whose ``client_id`` is ``http://localhost`` with a query that says
    where on this device they listen. Everybody can claim to be one."""

    TRUSTED_CLIENT_IDS: tuple[str, ...] = ()
    """Under ``atproto``: the clients whose name, logo and links people see; of all others the ``client_id``."""

    FETCH_TIMEOUT_SECONDS: Annotated[int, between(2, 5)] = 3
    """Longest wait for a document that a client publishes, from name lookup to the last byte, in seconds. 2 to 5."""

    FETCH_CONCURRENCY: Annotated[int, between(2, 64)] = 3
    """How many threads of a process may wait for clients' servers at one time; a third of them, at least one, is
    reserved for the operator's own clients. Set it to less than the threads of a worker. 2 to 64."""

    FETCH_PORTS: Annotated[tuple[str, ...], port_numbers] = ()
    """Ports besides 443 that a client's URL may name."""

    FETCH_CA_BUNDLE: str | None = None
    """Path of the certificate authorities (PEM) that are trusted for clients' servers. Default: certifi's."""

    FETCH_FROM_LOOPBACK: bool = False
    """For development: also fetch from 127.0.0.1, [::1] and localhost, on any port and without TLS."""

    REGISTRATION: Literal["closed", "token", "open"] = "closed"
    """Who may register a client over HTTP (RFC 7591): nobody, holders of a registration token, or anybody."""

    REGISTRATION_SCOPES: Annotated[tuple[str, ...], scope_tokens] | None = None
    """Scopes that clients may register for themselves. Not set: any scope when they register with a registration token,
    none in open registration or in a later update. Other scopes are left out, and the answer says so."""

    DEFAULT_SCOPES: Annotated[tuple[str, ...], scope_tokens] = ()
    """Scopes of a new client whose registration names none (RFC 7591 §2). A client that registers itself gets only
    those that are also in ``OAUTH2_REGISTRATION_SCOPES``."""

    REGISTRATION_KEY_POSSESSION: Literal["off", "required"] = "off"
    """Whether a client that changes its keys over HTTP must prove that it holds the new ones."""

    REGISTRATION_TRUSTED: bool = False
    """Treat clients that registered themselves as the operator's own. Use it only if you know every one of them."""

    REGISTRATION_GRANT_TYPES: tuple[str, ...] = ()
    """The application's own grant types (``register_grant``) that are open to clients which the operator did not
    register: those that registered themselves, and documents. Empty: such clients have the built-in ones only. Where
    anybody can be one, ``client_credentials`` is not among these, but may be named here."""

    REGISTRATIONS_PER_HOUR: Annotated[int, between(1, 100000)] = 20
    """How many clients may register from one address in an hour without a registration token; from all addresses
    together a hundred times as many. 1 to 100000."""

    REGISTRATION_UNUSED_SECONDS: Annotated[int, between(0, 730 * 86400)] = 90 * 86400
    """Age at which ``flask oauth2 purge`` deletes a client that registered itself and was never used or changed, in
    seconds; 0: never. 0 to 63072000."""

    REGISTRATION_MAX_BYTES: Annotated[int, between(4096, 262144)] = 16384
    """Largest registration of a client that registers itself or is a document, in bytes of JSON, keys included: every
    process caches the clients it serves. 4096 to 262144."""

    AUDIT: Literal["off", "sql"] = "off"
    """Whether changes of who may do what are kept in the application's database, each in the transaction of the
    change."""

    AUDIT_KEEP_SECONDS: Annotated[int, between(86400, 20 * 365 * 86400)] | None = None
    """Age at which ``flask oauth2 purge`` deletes a row of the audit trail, in seconds. Not set: never. 86400 to
    630720000."""

    SCOPE_DESCRIPTIONS: Annotated[object, descriptions] = None
    """What people read for a scope or a resource: the scope, or the URI of the resource -> words; or, in place of the
    words, a language tag -> words."""

    LANGUAGES: Annotated[tuple[str, ...], language_tags] = ()
    """The languages that pages may be in, as language tags; the first is for those who want none of them. Empty: all
    for which there is a catalogue, English first."""

    TRANSLATIONS: tuple[str, ...] = ()
    """Folders of the application's own gettext catalogues for the pages (``FOLDER/de/LC_MESSAGES/private_key_jwt.mo``).
    A relative one is relative to the app's package. Their words come before the package's."""

    REFUSALS_KEPT_SECONDS: Annotated[int, between(0, 90 * 86400)] = 7 * 86400
    """How long ``flask oauth2 explain`` knows what the ``Error-Reference`` of a refusal stands for, in seconds; 0:
    refusals are not kept. 0 to 7776000."""

    SQLITE_WAL: bool = True
    """On SQLite, switch the database to WAL with ``synchronous=NORMAL``; ``False`` leaves it as it is."""

    def __post_init__(self) -> None:
        if self.KEY_ANNOUNCE_SECONDS >= self.KEY_SIGN_SECONDS:
            raise ConfigurationError(
                "OAUTH2_KEY_ANNOUNCE_SECONDS must be less than OAUTH2_KEY_SIGN_SECONDS: "
                "the next key is announced while the current one signs."
            )
        if self.PUBLIC_BEARER_TOKENS and self.REFRESH_TOKEN_ROTATION == "off":  # noqa: S105
            raise ConfigurationError(
                "OAUTH2_PUBLIC_BEARER_TOKENS needs OAUTH2_REFRESH_TOKEN_ROTATION to be public or all: only its "
                "replacement shows that an unbound refresh token was stolen."
            )
        if self.JWKS_MIN_CACHE_SECONDS > self.JWKS_MAX_CACHE_SECONDS:
            raise ConfigurationError(
                "OAUTH2_JWKS_MIN_CACHE_SECONDS must not be more than OAUTH2_JWKS_MAX_CACHE_SECONDS."
            )
        if self.CLIENT_ID_METADATA_DOCUMENTS and not self.CLIENT_ID_HOSTS:
            raise ConfigurationError(
                "OAUTH2_CLIENT_ID_METADATA_DOCUMENTS needs OAUTH2_CLIENT_ID_HOSTS: whose documents are clients here."
            )
        for name in ("LOCALHOST_CLIENT_IDS", "TRUSTED_CLIENT_IDS"):
            if getattr(self, name) and self.PROFILE != "atproto":
                raise ConfigurationError(f"OAUTH2_{name} needs OAUTH2_PROFILE = 'atproto': it means nothing elsewhere.")
        is_open = self.takes_any_document or self.PROFILE == "mcp"
        if self.CLIENT_ID_METADATA_DOCUMENTS and is_open and not self.CLIENT_ID_SCOPES:
            why = f'OAUTH2_CLIENT_ID_HOSTS = ["{ANY_HOST}"]' if self.takes_any_document else "OAUTH2_PROFILE = 'mcp'"
            raise ConfigurationError(f"{why} needs OAUTH2_CLIENT_ID_SCOPES: the scopes that anybody's client may have.")
        self._check_loopback()
        self._check_scopes()

    def _check_loopback(self) -> None:
        """Nobody who is not the operator's client may have a server on the network call what listens on its machine."""
        if not self.FETCH_FROM_LOOPBACK or read_url(self.ISSUER).is_loopback:
            return
        ways_in = {
            f'OAUTH2_CLIENT_ID_HOSTS = ["{ANY_HOST}"]': self.CLIENT_ID_METADATA_DOCUMENTS and self.takes_any_document,
            'OAUTH2_REGISTRATION = "open" without OAUTH2_JWKS_HOSTS': self.REGISTRATION == "open"
            and not self.JWKS_HOSTS,
        }
        for way_in, is_open in ways_in.items():
            if is_open:
                raise ConfigurationError(
                    f"OAUTH2_FETCH_FROM_LOOPBACK with {way_in} needs OAUTH2_ISSUER on 127.0.0.1, [::1] or localhost: "
                    "otherwise strangers have this server call what listens on its machine."
                )

    def _check_scopes(self) -> None:
        if OPENID_CAPABILITY in self.SMART_CAPABILITIES and self.SCOPES and "openid" not in self.SCOPES:
            raise ConfigurationError(
                f"OAUTH2_SMART_CAPABILITIES has {OPENID_CAPABILITY}, and OAUTH2_SCOPES is without openid, which turns "
                "OpenID Connect off."
            )
        for name in ("CLIENT_ID_SCOPES", "REGISTRATION_SCOPES", "DEFAULT_SCOPES"):
            if self.SCOPES and (unknown := set(getattr(self, name) or ()) - {*self.SCOPES, OFFLINE_ACCESS}):
                raise ConfigurationError(f"OAUTH2_{name} holds {min(unknown)!r}, which is not in OAUTH2_SCOPES.")

    @property
    def client_secrets_until(self) -> int | None:
        """``OAUTH2_CLIENT_SECRETS_UNTIL`` in seconds since the epoch; ``None`` when it is not set."""
        return None if self.CLIENT_SECRETS_UNTIL is None else read_moment(self.CLIENT_SECRETS_UNTIL)

    @property
    def takes_any_document(self) -> bool:
        """Whether ``OAUTH2_CLIENT_ID_HOSTS`` names every host."""
        return ANY_HOST in self.CLIENT_ID_HOSTS

    @property
    def scope_descriptions(self) -> Mapping[str, str | Mapping[str, str]]:
        """``OAUTH2_SCOPE_DESCRIPTIONS``; empty when it is not set."""
        return cast(Mapping[str, str | Mapping[str, str]], self.SCOPE_DESCRIPTIONS or {})

    @property
    def resources(self) -> tuple[str, ...]:
        """``OAUTH2_RESOURCES``, or the issuer when it is empty."""
        return self.RESOURCES or (self.ISSUER,)

    def find_session_lifetime(self, *, public: bool) -> int:
        """How long the refresh tokens of one consent work, in seconds.

        :param public: Whether they are a public client's.
        """
        longest = self.REFRESH_TOKEN_LIFETIME_SECONDS
        return min(longest, self.PUBLIC_REFRESH_TOKEN_LIFETIME_SECONDS or longest) if public else longest

    def find_idle_lifetime(self, *, public: bool) -> int:
        """After how long an unused refresh token expires, in seconds.

        :param public: Whether it is a public client's.
        """
        longest = self.REFRESH_TOKEN_IDLE_SECONDS
        return min(longest, self.PUBLIC_REFRESH_TOKEN_IDLE_SECONDS or longest) if public else longest
