"""Public clients (RFC 6749 §2.1): an application on a person's device says who it is and cannot prove it.

What protects its people instead: PKCE, exact redirect URIs, and tokens that are bound to its DPoP key.
"""

from dataclasses import dataclass

from ...errors import InvalidClient, InvalidRequest
from ...replay.base import Mark
from ..registered_client import PUBLIC, RegisteredClient, is_client_id
from ..request import FormRequest
from ..stores.contracts import ClientStore

METHOD = PUBLIC


@dataclass(frozen=True, slots=True)
class NamedClient:
    """A public client, by its own word."""

    client: RegisteredClient
    marks: tuple[Mark, ...] = ()
    thumbprint: str | None = None


class PublicClients:
    """Takes the ``client_id`` of clients registered with ``token_endpoint_auth_method: none``.

    :param clients: Finds the registered client.
    :param profile: ``fapi2`` has no public clients, whenever they were registered (FAPI 2.0 §5.3.2.1).
    """

    def __init__(self, clients: ClientStore, *, profile: str) -> None:
        self._clients = clients
        self._profile = profile

    def verify(self, request: FormRequest) -> NamedClient:
        """Find out which client made the request.

        :raises InvalidRequest: It tried to authenticate besides (RFC 6749 §2.3).
        :raises InvalidClient: The client is unknown, disabled, or one that has to authenticate.
        :raises StoreUnavailable: The clients cannot be read.
        """
        client_id = request.get("client_id") or ""
        client = self._clients.find(client_id) if is_client_id(client_id) else None
        if client is None:
            raise InvalidClient(f"no client_assertion, and client {client_id[:100]!r} is not registered")
        if not client.is_public:
            raise InvalidClient("no client_assertion", client_id=client.client_id)
        if self._profile == "fapi2":
            raise InvalidClient("a public client, and OAUTH2_PROFILE is fapi2", client_id=client_id)
        others = [name for name in ("client_secret", "client_assertion_type") if request.get(name) is not None]
        if request.has_authorization or others:
            raise InvalidRequest("a public client and a way of authenticating in one request", client_id=client_id)
        if not client.enabled:
            raise InvalidClient(f"client {client_id!r} is disabled", client_id=client_id)
        self._clients.confirm(client)  # as far as a public client can
        return NamedClient(client)
