"""The client that a browser's request names."""

from ...errors import UnusableClient
from ..client_lookup import NotAdmitted, load_enabled
from ..registered_client import RegisteredClient
from ..stores.contracts import ClientStore


def load_usable(clients: ClientStore, client_id: str | None, *, public_allowed: bool = True) -> RegisteredClient:
    """The client with this ``client_id``, if it is enabled.

    :param public_allowed: Whether it may be a public client; ``fapi2`` has none (FAPI 2.0 §5.3.2.1).
    :raises UnusableClient: There is none, or it is disabled or must not be public: the person sees a page.
    :raises StoreUnavailable: The clients cannot be read.
    """
    try:
        client = load_enabled(clients, client_id)
    except NotAdmitted as problem:
        if problem.client is None:
            raise UnusableClient(str(problem), cause=problem.cause) from None
        raise UnusableClient(
            "the client is disabled", cause=problem.cause, client_id=problem.client.client_id
        ) from None
    if client.is_public and not public_allowed:
        raise UnusableClient(
            "a public client, and OAUTH2_PROFILE is fapi2", cause="public_client_refused", client_id=client.client_id
        )
    return client
