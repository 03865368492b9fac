"""Finds a client by its ``client_id``, and says whether it is enabled."""

from .registered_client import RegisteredClient, is_client_id
from .stores.contracts import ClientStore


class NotAdmitted(Exception):
    """The client is unknown or disabled; the message is a private reason.

    :param cause: The code of the reason.
    :param client: The one that is disabled; ``None``: there is none of the name.
    """

    def __init__(self, reason: str, client: RegisteredClient | None = None, *, cause: str) -> None:
        super().__init__(reason)
        self.cause = cause
        self.client = client


def load_enabled(clients: ClientStore, client_id: str | None) -> RegisteredClient:
    """The client with exactly this ``client_id``, if it is enabled.

    :raises NotAdmitted: There is none, or it is disabled.
    :raises StoreUnavailable: The clients cannot be read.
    """
    client = load_registered(clients, client_id)
    check_enabled(client)
    return client


def load_registered(clients: ClientStore, client_id: str | None) -> RegisteredClient:
    """The client with exactly this ``client_id``, also if it is disabled.

    :raises NotAdmitted: There is none.
    :raises StoreUnavailable: The clients cannot be read.
    """
    client = clients.find(client_id) if client_id and is_client_id(client_id) else None
    if client is None:
        raise NotAdmitted(f"client {(client_id or '')[:100]!r} is not registered", cause="client_unknown")
    return client


def check_enabled(client: RegisteredClient) -> None:
    """Refuse a client that the operator disabled.

    :raises NotAdmitted: The client is disabled.
    """
    if not client.enabled:
        raise NotAdmitted(f"client {client.client_id!r} is disabled", client, cause="client_disabled")
