"""What every way of authenticating comes to, and the choice between them."""

from typing import Protocol

from ...replay.base import Mark
from ..registered_client import RegisteredClient
from ..request import FormRequest


class VerifiedClient(Protocol):
    """A client that is who it says, as far as its method can tell; nothing is spent yet."""

    @property
    def client(self) -> RegisteredClient:
        """The client."""

    @property
    def marks(self) -> tuple[Mark, ...]:
        """What the replay store must remember before this counts."""

    @property
    def thumbprint(self) -> str | None:
        """RFC 7638 SHA-256 thumbprint of the client's key that signed, base64url; ``None``: no key did."""


class ClientAuthenticationMethod(Protocol):
    """One way of authenticating."""

    def verify(self, request: FormRequest) -> VerifiedClient:
        """Find out which client made the request.

        :raises InvalidRequest: More than one way of authenticating was tried (RFC 6749 §2.3).
        :raises InvalidClient: The request does not prove who the client is, or the client has another method.
        :raises StoreUnavailable: The clients cannot be read.
        """


class ClientAuthentication:
    """Chooses the method by what the request carries; each method takes only the clients registered for it.

    So a refused assertion never falls through to a weaker way in (RFC 7591 §2).

    :param assertions: ``private_key_jwt``.
    :param public: ``none``.
    """

    def __init__(self, assertions: ClientAuthenticationMethod, public: ClientAuthenticationMethod) -> None:
        self._assertions = assertions
        self._public = public

    def verify(self, request: FormRequest) -> VerifiedClient:
        """See :meth:`ClientAuthenticationMethod.verify`."""
        if request.get("client_assertion") is not None or request.get("client_id") is None:
            return self._assertions.verify(request)
        return self._public.verify(request)
