"""What a way of authenticating is, what every one comes to, and the choice between them."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ...replay.base import Mark
from ...settings.server import ServerSettings
from ..registered_client import RegisteredClient
from ..request import FormRequest
from ..stores.contracts import ClientStore
from .signature import ClientSignatures


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


@dataclass(frozen=True, slots=True)
class AuthenticationParts:
    """What a way of authenticating may be made of."""

    settings: ServerSettings
    clients: ClientStore
    """All clients, those that are documents too."""
    registered_clients: ClientStore
    """Those that are registered here: to find one fetches nothing."""
    signatures: ClientSignatures
    token_url: str
    """The token endpoint, which some clients may name as the audience."""


def is_always_open(settings: ServerSettings, grant_types: Collection[str]) -> bool:
    """A client may be registered for the method whatever is served."""
    return True


def describe_nothing(settings: ServerSettings) -> Mapping[str, Any]:
    """The metadata document names the method, and that is all."""
    return {}


@dataclass(frozen=True, slots=True)
class ClientAuthMethod:
    """One line of the table of ways to authenticate."""

    name: str
    """Its registered name (OpenID Connect Core §9)."""
    build: Callable[[AuthenticationParts], ClientAuthenticationMethod]
    is_tried: Callable[[FormRequest], bool]
    """Whether a request tries this way; the first in the table that is tried decides."""
    proves_identity: bool = True
    """Whether anything is proved; else anybody can say to be the client."""
    is_open: Callable[[ServerSettings, Collection[str]], bool] = is_always_open
    """Whether clients may be registered for it, by the settings and the grant types that are served."""
    describe: Callable[[ServerSettings], Mapping[str, Any]] = describe_nothing
    """What the metadata document says besides, for each endpoint: a member's name without ``…_endpoint_auth_``."""


class ClientAuthentication:
    """Chooses the method by what the request carries; each method takes only the clients registered for it.

    So a refused assertion never falls through to a weaker way in (RFC 7591 §2).

    :param table: The methods. The first one refuses the requests that try none.
    :param parts: What they are made of.
    """

    def __init__(self, table: Iterable[ClientAuthMethod], parts: AuthenticationParts) -> None:
        self._methods = tuple((entry.is_tried, entry.build(parts)) for entry in table)

    def verify(self, request: FormRequest) -> VerifiedClient:
        """See :meth:`ClientAuthenticationMethod.verify`."""
        for is_tried, method in self._methods:
            if is_tried(request):
                return method.verify(request)
        return self._methods[0][1].verify(request)
