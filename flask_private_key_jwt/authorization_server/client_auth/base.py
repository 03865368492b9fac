"""What a method of client authentication is, what it returns, and how one is chosen."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...metering import Meter
from ...replay.base import Mark
from ...settings.server import ServerSettings
from ..registered_client import RegisteredClient
from ..request import FormRequest
from ..stores.contracts import ClientStore
from .signature import ClientSignatures


class VerifiedClient(Protocol):
    """A client that its method has accepted; nothing is spent yet."""

    @property
    def client(self) -> RegisteredClient:
        """The client."""

    @property
    def marks(self) -> tuple[Mark, ...]:
        """What the replay store must remember before this counts."""

    @property
    def thumbprint(self) -> str | None:
        """RFC 7638 SHA-256 thumbprint of the client's key that signed, base64url; ``None``: no key signed."""


class ClientAuthenticationMethod(Protocol):
    """One method of client authentication."""

    def verify(self, request: FormRequest) -> VerifiedClient:
        """Find out which client made the request.

        :raises InvalidRequest: The request tries more than one method (RFC 6749 §2.3).
        :raises InvalidClient: The request does not prove who the client is, or the client has another method.
        :raises StoreUnavailable: The clients cannot be read.
        """


@dataclass(frozen=True, slots=True)
class AuthenticationParts:
    """What a method can be built from."""

    settings: ServerSettings
    clients: ClientStore
    """All clients, also those registered by a document."""
    registered_clients: ClientStore
    """Only the clients in the database: finding one fetches nothing."""
    signatures: ClientSignatures
    token_url: str
    """The token endpoint, which some clients may name as the audience."""
    meter: Meter = field(default_factory=Meter)


def is_always_open(settings: ServerSettings, grant_types: Collection[str]) -> bool:
    """Always true: no setting closes the method."""
    return True


def describe_nothing(settings: ServerSettings) -> Mapping[str, Any]:
    """Nothing: the metadata document only names the method."""
    return {}


@dataclass(frozen=True, slots=True)
class ClientAuthMethod:
    """One line of the table of methods."""

    name: str
    """Its registered name (OpenID Connect Core §9)."""
    build: Callable[[AuthenticationParts], ClientAuthenticationMethod]
    is_tried: Callable[[FormRequest], bool]
    """Whether a request tries this method; the first one in the table that is tried decides."""
    proves_identity: bool = True
    """Whether it proves who the client is; if not, anybody can claim to be the client."""
    is_open: Callable[[ServerSettings, Collection[str]], bool] = is_always_open
    """Whether clients may be registered for it, with these settings and the grant types that are served."""
    describe: Callable[[ServerSettings], Mapping[str, Any]] = describe_nothing
    """Further members of the metadata document for each endpoint, named without their ``…_endpoint_auth_``."""


class ClientAuthentication:
    """Chooses the method by what the request carries; each method accepts only the clients registered for it.

    So a request whose assertion was refused never gets in by a weaker method (RFC 7591 §2).

    :param table: The methods. The first one refuses the requests that try none.
    :param parts: What they are built from.
    """

    def __init__(self, table: Iterable[ClientAuthMethod], parts: AuthenticationParts) -> None:
        self._methods = tuple((entry.is_tried, entry.build(parts)) for entry in table)

    def verify(self, request: FormRequest) -> VerifiedClient:
        """See :meth:`ClientAuthenticationMethod.verify`."""
        for is_tried, method in self._methods:
            if is_tried(request):
                return method.verify(request)
        return self._methods[0][1].verify(request)
