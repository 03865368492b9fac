"""Where a browser is signed out at the server too (OpenID RP-Initiated Logout §2), without I/O."""

from ...fetching.steps import Steps
from ...jose.unset import is_unset
from ..client_steps import ClientSteps
from .request import build_url

MEMBER = "end_session_endpoint"


def sign_out_url_steps(
    client: ClientSteps, id_token: str | None, *, post_logout_redirect_uri: str | None, state: str | None
) -> Steps[str | None]:
    """The URL to send the browser to; ``None`` if the server has no such page.

    :raises DiscoveryError: The server's metadata cannot be fetched, or its page is not https.
    """
    metadata = yield from client.metadata()
    if is_unset(metadata.raw.get(MEMBER)):
        return None
    values = {
        "client_id": client.client_id,
        "id_token_hint": id_token,
        "post_logout_redirect_uri": post_logout_redirect_uri,
        "state": state,
    }
    return build_url(metadata.endpoint(MEMBER), [(name, value) for name, value in values.items() if value is not None])
