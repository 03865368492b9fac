"""Where the response to a request may go, from the client's registration (RFC 6749 §3.1.2.3, RFC 9700 §2.1)."""

from ...errors import InvalidRequest, UnusableRedirectURI
from ...settings.server import ServerSettings
from ..redirect_uri import is_https_or_loopback
from ..registered_client import RegisteredClient
from .parameters import Parameters
from .response import ResponseTarget, is_too_long, list_response_modes


def check_target(parameters: Parameters, client: RegisteredClient, settings: ServerSettings) -> ResponseTarget:
    """Where the response to a request goes (RFC 6749 §3.1.2.3, RFC 9700 §2.1).

    :raises UnusableRedirectURI: ``redirect_uri`` is absent or not registered, or no client may have it any more.
    :raises InvalidRequest: The ``response_mode`` is not served.
    """
    redirect_uri = parameters.get("redirect_uri")
    if redirect_uri is None:
        raise UnusableRedirectURI("no redirect_uri", cause="redirect_uri_missing", client_id=client.client_id)
    if not client.has_redirect_uri(redirect_uri):
        raise UnusableRedirectURI(
            f"redirect_uri {redirect_uri[:200]!r} is not registered",
            cause="redirect_uri_not_registered",
            client_id=client.client_id,
        )
    if settings.ALLOWED_REDIRECTS == "https_or_loopback" and not is_https_or_loopback(redirect_uri):
        raise UnusableRedirectURI(  # registered before the setting was
            f"redirect_uri {redirect_uri[:200]!r} is neither https nor on loopback",
            cause="redirect_uri_not_allowed",
            client_id=client.client_id,
        )
    mode = parameters.get("response_mode") or "query"
    if mode not in list_response_modes(settings):
        raise InvalidRequest(
            f"response_mode {mode[:40]!r} is not supported",
            cause="response_mode_not_supported",
            client_id=client.client_id,
        )
    if mode == "form_post" and not redirect_uri.startswith(("https:", "http:")):
        raise InvalidRequest(
            "response_mode form_post needs an http redirect_uri",
            cause="response_mode_form_post",
            client_id=client.client_id,
        )
    state = parameters.get("state")
    # A state that check_request refuses is not sent back, because the refusal must fit into a Location too.
    return ResponseTarget(redirect_uri, mode, None if is_too_long(state) else state)
