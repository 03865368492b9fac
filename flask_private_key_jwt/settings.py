"""Every setting: its name with the unit, its type, its safe default and what it means.

An application sets them in ``app.config`` as ``OAUTH2_<NAME>``, or in the environment as
``FLASK_OAUTH2_<NAME>`` when it calls ``app.config.from_prefixed_env()``. :func:`read` checks all of
them once, at ``init_app``, and freezes the result; nothing else reads ``app.config``.
"""

import difflib
import logging
import os
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from .errors import ConfigurationError
from .profiles import apply_profile

log = logging.getLogger(__name__)

ASYMMETRIC_ALGS = (
    "ES256",
    "ES384",
    "ES512",
    "PS256",
    "PS384",
    "PS512",
    "RS256",
    "RS384",
    "RS512",
    "EdDSA",
    "Ed25519",
)
"""The signature algorithms this package speaks (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2)."""

OFFLINE_ACCESS = "offline_access"
"""The scope that asks for a refresh token (OpenID Connect Core §11); it needs no place in ``OAUTH2_SCOPES``."""

_PREFIX = "OAUTH2_"
_HOST_NAME = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")
_DIGITS = re.compile(r"[0-9]{1,5}")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


# --- what a value must look like: a check raises ValueError with the end of a sentence ------------------
def between(low: int, high: int) -> Callable[[int], None]:
    """A check that a number lies between *low* and *high*, both included."""

    def check(value: int) -> None:
        if not low <= value <= high:
            raise ValueError(f"must lie between {low} and {high}")

    return check


def each_of(allowed: tuple[str, ...]) -> Callable[[tuple[str, ...]], None]:
    """A check that a list is not empty and holds only *allowed* values."""

    def check(value: tuple[str, ...]) -> None:
        if unknown := [item for item in value if item not in allowed]:
            raise ValueError(f"does not know {unknown!r}; it knows {', '.join(allowed)}")
        if not value:
            raise ValueError("must name at least one")

    return check


def is_loopback_host(host: str | None) -> bool:
    """Whether *host* names this machine only (the one place where plain http is accepted)."""
    return host in _LOOPBACK


def https_url(value: str) -> None:
    """Accept an absolute https URL without query, fragment or userinfo; http on loopback only (RFC 8414 §2)."""
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise ValueError("must be a URL") from None
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("must be an absolute https URL")
    if parts.scheme == "http" and not is_loopback_host(parts.hostname):
        raise ValueError("must use https; http is accepted on 127.0.0.1, [::1] and localhost only")
    if any(c <= " " or c > "~" or c in '"\\<>' for c in value):
        raise ValueError("must be plain ASCII without spaces or quotes")
    if "?" in value or "#" in value or "@" in parts.netloc:
        raise ValueError("must have no query, fragment or user name")


def resource_uri(value: str) -> None:
    """Accept an absolute URI without a fragment (RFC 8707 §2)."""
    try:
        parts = urlsplit(value)
    except ValueError:
        raise ValueError("must be a URI") from None
    if not parts.scheme or not (parts.netloc or parts.path) or "#" in value:
        raise ValueError("must be an absolute URI without a fragment")
    if any(c <= " " or c > "~" or c in '"\\<>' for c in value):
        raise ValueError("must be plain ASCII without spaces or quotes")


def resource_uris(value: tuple[str, ...]) -> None:
    """Accept a list of resource identifiers."""
    for item in value:
        resource_uri(item)


def scope_tokens(value: tuple[str, ...]) -> None:
    """Accept scope tokens (RFC 6749 §3.3)."""
    for item in value:
        if not item or any(not ("!" <= c <= "~") or c in '"\\' for c in item):
            raise ValueError(f"holds {item!r}, which is not a scope token")


def host_names(value: tuple[str, ...]) -> None:
    """Accept a list of lower-case host names, as A-labels (RFC 5890), without port."""
    for item in value:
        if not _HOST_NAME.fullmatch(item):
            raise ValueError(f"holds {item!r}, which is not a lower-case host name")


def port_numbers(value: tuple[str, ...]) -> None:
    """Accept a list of port numbers, as strings."""
    for item in value:
        if not _DIGITS.fullmatch(item) or not 0 < int(item) < 65536:
            raise ValueError(f"holds {item!r}, which is not a port number")


def url_path(value: str) -> None:
    """Accept a path that starts with a slash and does not end with one."""
    if not value.startswith("/") or value.endswith("/") or any(c <= " " or c > "~" or c in '"\\<>?#%' for c in value):
        raise ValueError("must be a path such as /oauth2, without a slash at its end")


def replay_store(value: str) -> None:
    """Accept a kind of replay store or its URL."""
    if value not in ("sql", "memory") and "://" not in value:
        raise ValueError("must be sql, memory, a redis:// URL or a SQLAlchemy URL")


def proxy_url(value: str) -> None:
    """Accept the URL of a proxy."""
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise ValueError("must be a URL") from None
    if parts.scheme not in ("http", "https", "socks5", "socks5h") or not parts.hostname:
        raise ValueError("must be the URL of a proxy, such as http://proxy.example:3128")


Seconds = Annotated[int, between(1, 3600)]
Algs = Annotated[tuple[str, ...], each_of(ASYMMETRIC_ALGS)]


@dataclass(frozen=True, kw_only=True)
class SharedSettings:
    """What the authorization server and a resource server both have; each reads its own."""

    ISSUER: Annotated[str, https_url]
    """The authorization server's issuer identifier, used literally in ``iss`` and ``aud`` (RFC 8414 §2)."""

    PROFILE: Literal["oauth", "fapi2"] = "oauth"
    """The rules in force: ``fapi2`` is the FAPI 2.0 Security Profile; see :mod:`.profiles`."""

    DPOP_NONCE: Literal["off", "required"] = "off"
    """Whether a DPoP proof must carry a nonce of this server (RFC 9449 §8, §9)."""

    DPOP_NONCE_LIFETIME_SECONDS: Annotated[int, between(60, 3600)] = 300
    """How long a nonce is handed out, in seconds; it stays valid for as long again. 60 to 3600."""

    DPOP_PROOF_LIFETIME_SECONDS: Annotated[int, between(10, 300)] = 60
    """How long a DPoP proof is good, from its ``iat``, in seconds (RFC 9449 §11.1). 10 to 300."""

    DPOP_SIGNING_ALGS: Algs = ASYMMETRIC_ALGS
    """Accepted proof algorithms, advertised as ``dpop_signing_alg_values_supported``."""

    DPOP_PROOF_MAX_BYTES: Annotated[int, between(2048, 65536)] = 8192
    """Largest accepted DPoP header, in bytes. 2048 to 65536."""

    CLOCK_SKEW_SECONDS: Annotated[int, between(0, 60)] = 10
    """How far another party's clock may be off, in seconds. 0 to 60."""

    STORE_TIMEOUT_SECONDS: Annotated[int, between(1, 30)] = 5
    """Longest time that the stores (database, Redis) may take for one request, all waiting included, in seconds.
    1 to 30."""

    SECRETS: tuple[str, ...] = field(default=(), repr=False)
    """Secrets to derive keys from, newest first; default: ``SECRET_KEY``, then ``SECRET_KEY_FALLBACKS``."""


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

    REPLAY_STORE: Annotated[str, replay_store] = field(default="sql", repr=False)  # a URL may hold a password
    """Where used ``jti`` values are remembered: ``sql`` (the app's database), a ``redis://`` or SQLAlchemy URL,
    or ``memory`` (one process only)."""

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


@dataclass(frozen=True, kw_only=True)
class ResourceSettings(SharedSettings):
    """The settings of a resource server (an API)."""

    RESOURCE: Annotated[str, resource_uri]
    """This API's own identifier, required in a token's ``aud`` (RFC 8707, RFC 9068 §4)."""

    EXTERNAL_URL: Annotated[str, https_url] | None = None
    """The base that a proof's ``htu`` is held against, mount path included. Default: the origin of ``RESOURCE``."""

    REPLAY_STORE: Annotated[str, replay_store] | None = field(default=None, repr=False)
    """Where used proofs are remembered: a ``redis://`` or SQLAlchemy URL, ``sql`` in an app that is also the
    authorization server, or ``memory`` (one process only). Without it the API takes Bearer tokens only."""

    TOKEN_SIGNING_ALGS: Algs = ASYMMETRIC_ALGS
    """Accepted access token algorithms."""

    TOKEN_MAX_BYTES: Annotated[int, between(1024, 65536)] = 8192
    """Largest accepted access token, in bytes. 1024 to 65536."""

    JWKS_CACHE_SECONDS: Annotated[int, between(30, 86400)] = 300
    """How long the issuer's keys are trusted before they are fetched again, in seconds. 30 to 86400."""

    JWKS_STALE_SECONDS: Annotated[int, between(0, 86400)] = 3600
    """How long they go on serving when the issuer is away, in seconds. 0 to 86400."""

    HTTP_TIMEOUT_SECONDS: Annotated[int, between(1, 30)] = 5
    """Longest wait for the issuer, in seconds. 1 to 30."""

    PROXY: Annotated[str, proxy_url] | None = field(default=None, repr=False)  # may hold a password
    """URL of the proxy on the way to the issuer. Default: ``HTTPS_PROXY`` and ``NO_PROXY``. Never for an issuer on this
    machine."""

    CA_BUNDLE: str | None = None
    """Path of the certificate authorities (PEM) that the issuer is held to. Default: ``REQUESTS_CA_BUNDLE``, else those
    of ``requests``."""

    CLIENT_ID: str | None = None
    """Who this API is as a client of the issuer, which it asks about tokens (``require_oauth(…, online=True)``)."""

    CLIENT_KEY: Mapping[str, Any] | str | None = field(default=None, repr=False)  # a path, or the key itself
    """Path of the private key that it signs its questions with, or the key itself: PEM, JWK and what else
    :func:`~flask_private_key_jwt.client.load_key` reads."""

    CLIENT_KEY_PASSWORD: str | None = field(default=None, repr=False)
    """Password of that key, if it is an encrypted PEM."""

    INTROSPECTION_CACHE_SECONDS: Annotated[int, between(0, 60)] = 10
    """How long the issuer's word that a token counts is good, in seconds: as late a revocation may be noticed.
    0 to 60."""

    def __post_init__(self) -> None:
        if self.CLIENT_KEY is not None and self.CLIENT_ID is None:
            raise ConfigurationError(
                "OAUTH2_CLIENT_KEY is set without the name it has at the issuer: set OAUTH2_CLIENT_ID and "
                "OAUTH2_CLIENT_KEY, or neither."
            )

    @property
    def proxies(self) -> Mapping[str, str] | None:
        """``OAUTH2_PROXY`` by scheme, as ``requests`` takes it; ``None`` when it is not set."""
        return None if self.PROXY is None else {"http": self.PROXY, "https": self.PROXY}


READ_BY_AUTHLIB = {
    "OAUTH2_TOKEN_EXPIRES_IN": "OAUTH2_ACCESS_TOKEN_LIFETIME_SECONDS",
    "OAUTH2_ACCESS_TOKEN_GENERATOR": "nothing: access tokens are JWTs (RFC 9068); add claims with @oauth.token_policy",
    "OAUTH2_REFRESH_TOKEN_GENERATOR": "nothing: refresh tokens are made by this package",
    "OAUTH2_SCOPES_SUPPORTED": "OAUTH2_SCOPES",
    "OAUTH2_ERROR_URIS": "nothing: errors carry no error_uri",
}
"""Names Authlib's Flask server reads itself -> what to use instead."""

S = TypeVar("S", bound=SharedSettings)


def read(config: Mapping[str, Any], kind: type[S]) -> S:
    """Read, check and freeze the settings of *kind* from an application's ``config``.

    :raises ConfigurationError: A name or a value is wrong; the message says which and what to do.
    """
    check_names(config)
    values: dict[str, Any] = {}
    hints = typing.get_type_hints(kind, include_extras=True)
    for setting in fields(kind):
        name = _PREFIX + setting.name
        if config.get(name) is not None:
            values[setting.name] = _convert(name, config[name], hints[setting.name], private=not setting.repr)
        elif setting.default is MISSING:
            raise ConfigurationError(f"{name} is not set. {_HELP[setting.name]}")
    known = frozenset(setting.name for setting in fields(kind))
    return kind(**apply_profile(values.get("PROFILE", "oauth"), values, known))


def check_names(config: Mapping[str, Any]) -> None:
    """Refuse misspelt ``OAUTH2_…`` names, warn about unknown ones.

    :raises ConfigurationError: A name is close to one of ours, or is one that Authlib reads itself.
    """
    known = {setting.name for kind in (ServerSettings, ResourceSettings) for setting in fields(kind)}
    for name in config:
        ours = name.removeprefix(_PREFIX)
        if ours == name or ours in known:
            continue
        if name in READ_BY_AUTHLIB:
            raise ConfigurationError(f"{name} is a setting of Authlib's own server. Use {READ_BY_AUTHLIB[name]}.")
        # Without the prefix, which would make OAUTH2_PROVIDERS, a setting of many an app, look like OAUTH2_PROFILE.
        if near := difflib.get_close_matches(ours, known, n=1, cutoff=0.8):
            raise ConfigurationError(f"{name} is not a setting. Did you mean {_PREFIX}{near[0]}?")
        log.warning("%s is not a setting of flask_private_key_jwt; it is ignored", name)


def _convert(name: str, value: Any, hint: Any, *, private: bool) -> Any:
    """Turn *value*, perhaps text from the environment, into what *hint* asks for."""
    checks: tuple[Callable[[Any], None], ...] = ()
    while True:
        if typing.get_origin(hint) is Annotated:
            checks += tuple(hint.__metadata__)
            hint = hint.__origin__
        elif isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
            hint = next(part for part in typing.get_args(hint) if part is not type(None))
        else:
            break
    try:
        converted = _of_type(value, hint)
        for check in checks:
            check(converted)
    except ValueError as error:
        shown = "" if private else f" = {value!r}"
        raise ConfigurationError(f"{name}{shown} is not accepted: it {error}.") from None
    return converted


def _of_type(value: Any, hint: Any) -> Any:
    if typing.get_origin(hint) is Literal:
        if value not in typing.get_args(hint):
            raise ValueError(f"must be one of {', '.join(typing.get_args(hint))}")
        return value
    return _CONVERTERS[typing.get_origin(hint) or hint](value)


def _bool(value: Any) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a whole number")
    return value


def _str(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("must be text")
    return value


def _text_or_object(value: Any) -> Any:
    """A JWK in the environment is JSON, which ``from_prefixed_env`` has parsed already."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (str, bytes, Mapping)) and value:
        return value
    raise ValueError("must be a path or a private key, and not empty")


def _strings(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, (list, tuple, set, frozenset)) or not all(
        isinstance(item, str) and item for item in value
    ):
        raise ValueError("must be a list of strings, or one string")
    return tuple(sorted(value) if isinstance(value, (set, frozenset)) else value)


_CONVERTERS: dict[Any, Callable[[Any], Any]] = {
    bool: _bool,
    int: _int,
    str: _str,
    tuple: _strings,
    Mapping: _text_or_object,
}


_HELP = {
    "ISSUER": "Set it to the authorization server's own https URL, e.g. https://as.example.",
    "RESOURCE": "Set it to this API's own identifier, e.g. https://api.example.",
}
