"""The client that a browser's request names."""

from ...errors import UnusableClient
from ..client_lookup import NotAdmitted, load_enabled
from ..registered_client import RegisteredClient
from ..stores.contracts import ClientStore


def load_usable(clients: ClientStore, client_id: str | None) -> RegisteredClient:
    """The client with this ``client_id``, if it is enabled.

    :raises UnusableClient: There is none, or it is disabled: the person sees a page.
    :raises StoreUnavailable: The clients cannot be read.
    """
    try:
        return load_enabled(clients, client_id)
    except NotAdmitted as problem:
        if problem.client is None:
            raise UnusableClient(str(problem), cause=problem.cause) from None
        raise UnusableClient(
            "the client is disabled", cause=problem.cause, client_id=problem.client.client_id
        ) from None
