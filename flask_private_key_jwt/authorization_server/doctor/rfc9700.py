"""RFC 9700 (Best Current Practice for OAuth 2.0 Security): what it asks of an authorization server, by section."""

from collections.abc import Mapping
from urllib.parse import urlencode

from ...fetching.exchange import FetchedAnswer
from ...web.url import find_web_url
from .deployment import Deployment, describe_answer
from .finding import DeploymentRequirement, Finding, judge, list_some, met, moot, name_some, shorten

_NO_PEOPLE = "The app has no authorization endpoint."
_API = "private_key_jwt_resource"
"""The extension of an API in the same app."""
_STRANGE_PAGE = "https://doctor.invalid/"
"""A page that no client has registered; the name never exists (RFC 6761 §6.4)."""


def check_redirect_uris(deployment: Deployment) -> Finding:
    """Answers travel by TLS: a redirect URI is https, or on the person's own device (§2.1, §2.6)."""
    open_to_all = [
        f"{shorten(found.client.client_id)} ({shorten(uri)})"
        for found in deployment.clients.registrations
        for uri in found.client.redirect_uris
        if (url := find_web_url(uri)) is not None and url.scheme == "http" and not url.is_loopback
    ]
    return judge(
        not open_to_all,
        "Every registered redirect URI is https or leads to the person's own device; they are compared exactly.",
        otherwise=f"Codes are sent without TLS to: {list_some(open_to_all)}.",
        change="Change these redirect URIs to https.",
    )


def check_open_redirector(deployment: Deployment) -> Finding:
    """The authorization endpoint sends no browser to a page that no client has registered (§4.11.2)."""
    if not deployment.has_people:
        return moot(_NO_PEOPLE)
    answer = _open_page(deployment)
    leads = answer.headers.get("Location", "")
    return judge(
        "doctor.invalid" not in leads and answer.status < 500,
        "A request with an unknown redirect URI is answered with a page, and no redirect.",
        otherwise=f"A request with an unknown redirect URI is answered {describe_answer(answer)}.",
        change="See what changes this answer: a proxy, or a function of the app.",
    )


def check_pkce(deployment: Deployment) -> Finding:
    """PKCE is there, by S256 alone (§2.1.1)."""
    return _expect(deployment, "code_challenge_methods_supported", ["S256"], "PKCE is required, by S256 alone.")


def check_no_implicit_grant(deployment: Deployment) -> Finding:
    """No token comes out of the authorization endpoint (§2.1.2)."""
    return _expect(deployment, "response_types_supported", ["code"], "The only response type is code.")


def check_mix_up(deployment: Deployment) -> Finding:
    """The answer of the authorization endpoint names its issuer (§2.1, §4.4)."""
    return _expect(
        deployment,
        "authorization_response_iss_parameter_supported",
        True,
        "The answer of the authorization endpoint names its issuer (RFC 9207).",
    )


def check_bound_tokens(deployment: Deployment) -> Finding:
    """Access tokens are bound to a key (§2.2.1)."""
    settings = deployment.settings
    if settings.DPOP_REQUIRED and not settings.PUBLIC_BEARER_TOKENS:
        return met("OAUTH2_DPOP_REQUIRED is on: every access token is bound to a key.")
    clients = [found.client for found in deployment.clients.registrations]
    bearer = [client.client_id for client in clients if not client.dpop_bound_access_tokens and not client.is_public]
    if settings.PUBLIC_BEARER_TOKENS:
        bearer += [client.client_id for client in clients if client.is_public]
    return judge(
        not bearer and not settings.PUBLIC_BEARER_TOKENS,
        "Every registered client gets bound tokens only.",
        otherwise=f"Bearer tokens, which whoever steals one can use, are for: {name_some(bearer) or 'public clients'}.",
        change="Set OAUTH2_DPOP_REQUIRED, or for one client after the other: flask oauth2 client update CLIENT --dpop.",
    )


def check_refresh_tokens(deployment: Deployment) -> Finding:
    """A public client's refresh token is bound to a key, or replaced at each use (§2.2.2, §4.14.2)."""
    settings = deployment.settings
    if not deployment.has_people:
        return moot(_NO_PEOPLE)
    return judge(
        settings.REFRESH_TOKEN_ROTATION in ("public", "all") or not settings.PUBLIC_BEARER_TOKENS,
        "Refresh tokens of public clients are bound to a key or replaced at each use; all of them end when unused.",
        otherwise="Refresh tokens of public clients are neither bound nor replaced.",
        change="Set OAUTH2_REFRESH_TOKEN_ROTATION to public.",
    )


def check_audience(deployment: Deployment) -> Finding:
    """An access token is for a certain API (§2.3)."""
    if deployment.settings.RESOURCES:
        return met(f"Tokens are for single APIs: {name_some(deployment.settings.RESOURCES)}.")
    return judge(
        _API in deployment.app.extensions,
        "Tokens are for the API in the same app.",
        otherwise="OAUTH2_RESOURCES is not set: every token is for the issuer, and so for every API that accepts that.",
        change="Name your APIs in OAUTH2_RESOURCES.",
    )


def check_no_password_grant(deployment: Deployment) -> Finding:
    """No client sees a person's password (§2.4)."""
    names = list(deployment.state.describe().get("grant_types_supported", ()))
    return judge(
        "password" not in names,
        f"There is no password grant; the grants are {', '.join(names)}.",
        otherwise="The application has registered the grant password.",
        change="Take that grant out, and let people sign in here.",
    )


def check_client_authentication(deployment: Deployment) -> Finding:
    """Clients authenticate with keys (§2.5)."""
    methods = list(deployment.state.describe().get("token_endpoint_auth_methods_supported", ()))
    shared = [name for name in methods if name.startswith("client_secret")]
    return judge(
        not shared,
        f"Clients authenticate by {', '.join(methods)}.",
        otherwise=f"Clients may also authenticate with shared secrets: {', '.join(shared)}.",
        change="Leave OAUTH2_CLIENT_SECRETS_UNTIL out as soon as every client has keys.",
    )


def check_no_cors(deployment: Deployment) -> Finding:
    """No script of another site reads the authorization endpoint (§2.6)."""
    if not deployment.has_people:
        return moot(_NO_PEOPLE)
    answer = _open_page(deployment)
    return judge(
        "Access-Control-Allow-Origin" not in answer.headers,
        "The authorization endpoint lets no script of another site read it.",
        otherwise="The authorization endpoint answers with Access-Control-Allow-Origin.",
        change="Let the proxy or Flask-CORS leave this path out.",
    )


def check_pages(deployment: Deployment) -> Finding:
    """No other page can frame the pages of the authorization endpoint, or learn their address (§4.2.4, §4.16)."""
    if not deployment.has_people:
        return moot(_NO_PEOPLE)
    headers = _open_page(deployment).headers
    policy = headers.get("Content-Security-Policy", "")
    missing = [
        *(["frame-ancestors in Content-Security-Policy"] if "frame-ancestors" not in policy else []),
        *_find_missing(headers, {"X-Frame-Options": ("deny", "sameorigin")}),
        *_find_missing(headers, {"Referrer-Policy": ("no-referrer", "same-origin", "strict-origin", "origin")}),
    ]
    return judge(
        not missing,
        "Pages cannot be framed, and their address is told to nobody.",
        otherwise=f"The pages of the authorization endpoint come without a good {', '.join(missing)}.",
        change="See what takes these headers away: a proxy, or a function of the app.",
    )


def _find_missing(headers: Mapping[str, str], expected: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [name for name, values in expected.items() if headers.get(name, "").strip().lower() not in values]


def _open_page(deployment: Deployment) -> FetchedAnswer:
    """The page for a person whose request is refused: its client is unknown, and its redirect URI a stranger's."""
    query = urlencode({"response_type": "code", "client_id": "doctor.invalid", "redirect_uri": _STRANGE_PAGE})
    url = str(deployment.state.describe()["authorization_endpoint"])
    return deployment.outside.get(f"{url}?{query}", headers={"Origin": _STRANGE_PAGE.rstrip("/")})


def _expect(deployment: Deployment, member: str, expected: object, why: str) -> Finding:
    if not deployment.has_people:
        return moot(_NO_PEOPLE)
    found = deployment.state.describe().get(member)
    return judge(
        found == expected,
        why,
        otherwise=f"{member} is {found!r}, not {expected!r}.",
        change="See what the application has registered or replaced.",
    )


_PAGE = ("database", "endpoints-reachable")

REQUIREMENTS = (
    DeploymentRequirement("rfc9700-2.1-redirect-uris", check_redirect_uris, needs=("migration",)),
    DeploymentRequirement("rfc9700-2.1-mix-up", check_mix_up, needs=("database",)),
    DeploymentRequirement("rfc9700-2.1.1-pkce", check_pkce, needs=("database",)),
    DeploymentRequirement("rfc9700-2.1.2-implicit-grant", check_no_implicit_grant, needs=("database",)),
    DeploymentRequirement("rfc9700-2.2.1-bound-access-tokens", check_bound_tokens, needs=("migration",)),
    DeploymentRequirement("rfc9700-2.2.2-refresh-tokens", check_refresh_tokens),
    DeploymentRequirement("rfc9700-2.3-audience", check_audience),
    DeploymentRequirement("rfc9700-2.4-password-grant", check_no_password_grant, needs=("database",)),
    DeploymentRequirement("rfc9700-2.5-client-authentication", check_client_authentication, needs=("database",)),
    DeploymentRequirement("rfc9700-2.6-cors", check_no_cors, needs=_PAGE),
    DeploymentRequirement("rfc9700-4.11-open-redirector", check_open_redirector, needs=_PAGE),
    DeploymentRequirement("rfc9700-4.16-clickjacking", check_pages, needs=_PAGE),
)
