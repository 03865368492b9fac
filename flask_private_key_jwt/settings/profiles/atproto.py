"""``OAUTH2_PROFILE = "atproto"``: the AT Protocol's OAuth specification, in one table.

It is at https://atproto.com/specs/oauth.
"""

from collections.abc import Mapping

from ...web.url import find_web_url
from .rule import Rule, SameAs, is_false, is_true

ATPROTO_SCOPE = "atproto"
"""The scope of every session under the profile."""
DAY = 86400
WEEK = 7 * DAY


def is_origin(value: str) -> bool:
    """Whether *value* is the origin of a web server as the profile writes it: without any path and default port."""
    url = find_web_url(value)
    return url is not None and value == url.origin


def _holds_es256(value: tuple[str, ...]) -> bool:
    return "ES256" in value


def _holds_atproto(value: tuple[str, ...]) -> bool:
    return ATPROTO_SCOPE in value and "openid" not in value


_ES256 = Rule(_holds_es256, "everybody supports ES256")
_SCOPES = "the scope atproto belongs to every session, and there is no ID token"

ATPROTO: Mapping[str, Rule] = {
    "ISSUER": Rule(is_origin, "the issuer is an origin: it has no path, not even a slash, and no default port"),
    "RESOURCE": Rule(is_origin, "a resource server is named by its origin, without a path"),
    "SCOPES": Rule(_holds_atproto, _SCOPES, (ATPROTO_SCOPE,)),
    "CLIENT_ID_METADATA_DOCUMENTS": Rule(is_true, "every client is a document at its client_id", True),
    "CLIENT_ID_HOSTS": Rule(bool, "clients are at hosts", ("*",)),
    "CLIENT_ID_SCOPES": Rule(_holds_atproto, _SCOPES, SameAs("SCOPES")),
    "CLIENT_ID_PUBLIC_CLIENTS": Rule(is_true, "clients may be public", True),
    "ALLOWED_REDIRECTS": Rule(
        lambda value: value == "application_type", "the application type says which redirect URIs a client may have"
    ),
    "PUBLIC_BEARER_TOKENS": Rule(is_false, "every token is bound to a key"),
    "LOCALHOST_CLIENT_IDS": Rule(lambda value: True, "servers may have development clients or not", True),
    "CLIENT_SECRETS_UNTIL": Rule(lambda value: value is None, "no client has a secret"),
    "REGISTRATION": Rule(lambda value: value == "closed", "clients are documents and do not register"),
    "REQUIRE_PUSHED_AUTHORIZATION_REQUESTS": Rule(is_true, "every request is pushed", True),
    "REQUIRE_SIGNED_REQUESTS": Rule(is_false, "public clients have no key to sign a request with"),
    "REQUIRE_RESOURCE": Rule(is_false, "clients name no resource"),
    "DPOP_REQUIRED": Rule(is_true, "every token is bound to a key", True),
    "DPOP_NONCE": Rule(lambda value: value == "required", "a proof has a nonce of the server", "required"),
    "DPOP_NONCE_LIFETIME_SECONDS": Rule(
        lambda value: value <= 150, "a nonce is valid for 300 seconds at most, half of them after the next one", 150
    ),
    "DPOP_SIGNING_ALGS": _ES256,
    "ASSERTION_SIGNING_ALGS": _ES256,
    "ASSERTION_AUDIENCE": Rule(lambda value: value == "issuer", "a client assertion is for the issuer alone"),
    "ACCESS_TOKEN_LIFETIME_SECONDS": Rule(
        lambda value: value <= 900, "an access token lives 15 minutes at most, where nobody looks up revocations", 300
    ),
    "REFRESH_TOKEN_ROTATION": Rule(lambda value: value == "all", "a refresh token is used once", "all"),
    "REFRESH_TOKEN_IDLE_SECONDS": Rule(
        lambda value: value <= 180 * DAY, "a refresh token lives 180 days at most", 180 * DAY
    ),
    "REFRESH_TOKEN_LIFETIME_SECONDS": Rule(
        lambda value: True, "a confidential client's session may be without end", 730 * DAY
    ),
    "PUBLIC_REFRESH_TOKEN_IDLE_SECONDS": Rule(
        lambda value: value <= 2 * WEEK, "a public client's refresh token lives two weeks at most", 2 * WEEK
    ),
    "PUBLIC_REFRESH_TOKEN_LIFETIME_SECONDS": Rule(
        lambda value: value <= 2 * WEEK, "a public client's session lasts two weeks at most", 2 * WEEK
    ),
    "CORS_ORIGINS": Rule(bool, "apps that run in browsers call the servers", ("*",)),
    "REPLAY_STORE": Rule(
        lambda value: value != "memory", "what was used is remembered by every process, and after a restart"
    ),
    "FETCH_FROM_LOOPBACK": Rule(
        is_false, "documents are fetched by https from public addresses; a client in development is http://localhost"
    ),
}
"""Setting -> what the profile requires."""
