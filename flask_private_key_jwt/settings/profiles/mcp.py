"""``OAUTH2_PROFILE = "mcp"``: an authorization server for MCP servers (revision 2026-07-28), in one table."""

from collections.abc import Mapping

from ..values import ANY_HOST
from .rule import Rule, is_false, is_true

MCP: Mapping[str, Rule] = {
    "CLIENT_ID_METADATA_DOCUMENTS": Rule(
        is_true, "clients are registered by their documents (Client Registration)", True
    ),
    "CLIENT_ID_HOSTS": Rule(bool, "the documents of at least one host are clients", (ANY_HOST,)),
    "CLIENT_ID_PUBLIC_CLIENTS": Rule(is_true, "most clients are public (Overview, item 1)", True),
    "PUBLIC_BEARER_TOKENS": Rule(lambda value: True, "it may be off: then public clients need DPoP", True),
    "REFRESH_TOKEN_ROTATION": Rule(
        lambda value: value != "off", "refresh tokens of public clients are replaced (Token Theft)"
    ),
    "ACCESS_TOKEN_LIFETIME_SECONDS": Rule(
        lambda value: value <= 3600, "an access token is short-lived: an hour at most (Token Theft)"
    ),
    "REQUIRE_RESOURCE": Rule(is_true, "every request names the MCP server (Resource Parameter)", True),
    "ALLOWED_REDIRECTS": Rule(
        lambda value: value == "https_or_loopback",
        "a redirect URI is https or on loopback (Communication Security)",
        "https_or_loopback",
    ),
    "REQUIRE_PUSHED_AUTHORIZATION_REQUESTS": Rule(is_false, "MCP clients send their requests by the browser"),
    "REQUIRE_SIGNED_REQUESTS": Rule(is_false, "a public client cannot sign its requests"),
    "REGISTRATION_TRUSTED": Rule(is_false, "what a client says of itself is shown as its own words"),
}
"""Setting -> what the profile requires; in brackets the section of the specification."""
