"""Public clients (RFC 6749 §2.1): an application on a person's device says who it is, but cannot prove it.

PKCE, exact redirect URIs, and tokens that are bound to the client's DPoP key protect its users instead.
"""

from collections.abc import Collection
from dataclasses import dataclass

from ...errors import InvalidClient, InvalidRequest
from ...replay.base import Mark
from ...settings.server import ServerSettings
from ...signals.refusal import attributed_to
from ..client_lookup import NotAdmitted, check_enabled, load_registered
from ..registered_client import PUBLIC, RegisteredClient
from ..request import FormRequest
from .base import AuthenticationParts

METHOD = PUBLIC


@dataclass(frozen=True, slots=True)
class NamedClient:
    """The public client that a request names; nothing proves that it is this client."""

    client: RegisteredClient
    method: str = METHOD
    marks: tuple[Mark, ...] = ()
    thumbprint: str | None = None
    secret: None = None


def is_tried(request: FormRequest) -> bool:
    """Whether *request* names a client."""
    return request.get("client_id") is not None


def is_open(settings: ServerSettings, grant_types: Collection[str]) -> bool:
    """Whether there can be public clients: they act for people only, cannot sign requests, and ``fapi2`` has none."""
    return "authorization_code" in grant_types and settings.PROFILE != "fapi2" and not settings.REQUIRE_SIGNED_REQUESTS


class PublicClients:
    """Takes the ``client_id`` of clients registered with ``token_endpoint_auth_method: none``.

    A ``client_id`` without proof makes us fetch a document only if public clients may be registered by documents.
    """

    def __init__(self, parts: AuthenticationParts) -> None:
        self._clients = parts.clients if parts.settings.CLIENT_ID_PUBLIC_CLIENTS else parts.registered_clients
        # fapi2 has no public clients, not even those registered before it was set (FAPI 2.0 §5.3.2.1).
        self._are_admitted = parts.settings.PROFILE != "fapi2"

    def verify(self, request: FormRequest) -> NamedClient:
        """Find out which client made the request.

        :raises InvalidRequest: The request also tries to authenticate (RFC 6749 §2.3).
        :raises InvalidClient: The client is unknown, disabled, or one that has to authenticate.
        :raises FetchBusy: The client's document is not here, and other fetches leave no room to fetch it now.
        :raises StoreUnavailable: The clients cannot be read.
        """
        try:
            client = load_registered(self._clients, request.get("client_id"))
        except NotAdmitted as problem:
            raise InvalidClient(f"no client_assertion, and {problem}", cause=problem.cause) from None
        with attributed_to(client.client_id):
            self._check(client, request)
        self._clients.confirm(client)  # a public client cannot prove more
        return NamedClient(client)

    def _check(self, client: RegisteredClient, request: FormRequest) -> None:
        if not client.is_public:
            raise InvalidClient("no client_assertion", cause="assertion_missing")
        if not self._are_admitted:
            raise InvalidClient("a public client, and OAUTH2_PROFILE is fapi2", cause="public_client_refused")
        others = [name for name in ("client_secret", "client_assertion_type") if request.get(name) is not None]
        if request.has_authorization or others:
            raise InvalidRequest(
                "a public client and a way of authenticating in one request", cause="public_client_authenticates"
            )
        try:
            check_enabled(client)
        except NotAdmitted as problem:
            raise InvalidClient(str(problem), cause=problem.cause) from None
