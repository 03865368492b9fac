"""The app's session cookie, by which people are signed in while they allow something, and the app's debug mode."""

from ...web.url import read_url
from .deployment import Deployment
from .finding import DeploymentRequirement, Finding, judge, moot

_NO_PEOPLE = "The app has no authorization endpoint, so nobody is signed in."


def check_secure(deployment: Deployment) -> Finding:
    """The cookie is sent by https only."""
    if not deployment.has_people:
        return moot(_NO_PEOPLE)
    if read_url(deployment.settings.ISSUER).scheme != "https":
        return moot("The issuer is http, by which a browser does not send such a cookie.")
    return judge(
        bool(deployment.app.session_interface.get_cookie_secure(deployment.app)),
        "SESSION_COOKIE_SECURE is on.",
        otherwise="SESSION_COOKIE_SECURE is off: the cookie is also sent without TLS, and can be read on the way.",
        change="Set SESSION_COOKIE_SECURE = True.",
    )


def check_http_only(deployment: Deployment) -> Finding:
    """No script of a page reads the cookie."""
    if not deployment.has_people:
        return moot(_NO_PEOPLE)
    return judge(
        bool(deployment.app.session_interface.get_cookie_httponly(deployment.app)),
        "SESSION_COOKIE_HTTPONLY is on.",
        otherwise="SESSION_COOKIE_HTTPONLY is off: a script in one of the app's pages can read the cookie.",
        change="Set SESSION_COOKIE_HTTPONLY = True.",
    )


def check_same_site(deployment: Deployment) -> Finding:
    """Other sites' forms are sent without the cookie."""
    if not deployment.has_people:
        return moot(_NO_PEOPLE)
    same_site = deployment.app.session_interface.get_cookie_samesite(deployment.app)
    return judge(
        str(same_site).lower() in ("lax", "strict"),
        f"SESSION_COOKIE_SAMESITE is {same_site}.",
        otherwise=f"SESSION_COOKIE_SAMESITE is {'not set' if same_site is None else same_site}: other sites' forms may "
        "be sent with the cookie.",
        change="Set SESSION_COOKIE_SAMESITE = 'Lax'.",
    )


def check_host(deployment: Deployment) -> Finding:
    """The cookie is the host's own: no other host of the domain gets or sets it."""
    if not deployment.has_people:
        return moot(_NO_PEOPLE)
    domain = deployment.app.session_interface.get_cookie_domain(deployment.app)
    return judge(
        not domain,
        "The cookie is this host's alone.",
        otherwise=f"SESSION_COOKIE_DOMAIN is {domain}: every host of that domain gets the cookie, and may set it.",
        change="Leave SESSION_COOKIE_DOMAIN out, unless you trust each of these hosts with your people's sessions.",
    )


def check_debug(deployment: Deployment) -> Finding:
    """The app is neither in debug mode nor in test mode, as far as this command's environment says."""
    modes = [name for name in ("DEBUG", "TESTING") if deployment.app.config.get(name)]
    return judge(
        not modes,
        "Neither DEBUG nor TESTING is on, where this command runs.",
        otherwise=f"{' and '.join(modes)} {'are' if len(modes) > 1 else 'is'} on: errors show the app's inside.",
        change="Leave FLASK_DEBUG and TESTING out of what the server is started with.",
    )


REQUIREMENTS = (
    DeploymentRequirement("session-cookie-secure", check_secure),
    DeploymentRequirement("session-cookie-httponly", check_http_only),
    DeploymentRequirement("session-cookie-samesite", check_same_site),
    DeploymentRequirement("session-cookie-host", check_host),
    DeploymentRequirement("debug-off", check_debug),
)
