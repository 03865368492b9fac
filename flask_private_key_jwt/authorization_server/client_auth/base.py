"""What a method of client authentication is, what it returns, and how one is chosen."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ...replay.base import Mark
from ...settings.server import ServerSettings
from ...signals.metering import Meter
from ..keys.client_secrets import ClientSecrets, UsedSecret
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
    def method(self) -> str:
        """The name of the method."""

    @property
    def marks(self) -> tuple[Mark, ...]:
        """What the replay store must remember before this counts."""

    @property
    def thumbprint(self) -> str | None:
        """RFC 7638 SHA-256 thumbprint of the client's key that signed, base64url; ``None``: no key signed."""

    @property
    def secret(self) -> UsedSecret | None:
        """The shared secret that the client proved to know; ``None``: it showed none."""


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
    client_secrets: ClientSecrets
    token_url: str
    """The token endpoint, which some clients may name as the audience."""
    meter: Meter = field(default_factory=Meter)


def is_always_open(settings: ServerSettings, grant_types: Collection[str]) -> bool:
    """Always true: no setting closes the method."""
    return True


def describe_nothing(settings: ServerSettings) -> Mapping[str, Sequence[str]]:
    """Nothing: the metadata document only names the method."""
    return {}


@dataclass(frozen=True, slots=True)
class ClientAuthMethod:
    """One line of the table of methods."""

    name: str
    """Its registered name (OpenID Connect Core §9)."""
    build: Callable[[AuthenticationParts], ClientAuthenticationMethod | None]
    """``None``: the settings switch the method off, and a request that tries it is treated as if it were unknown."""
    is_tried: Callable[[FormRequest], bool]
    """Whether a request tries this method; the first one in the table that is tried decides."""
    has_keys: bool = True
    """Whether its clients register public keys; otherwise a registration must name none."""
    for_operators_clients: bool = False
    """Whether only the operator may register a client for it."""
    is_usual: bool = False
    """Whether it refuses the requests that try no method; exactly one does."""
    proves_identity: bool = True
    """Whether it proves who the client is; if not, anybody can claim to be the client."""
    is_open: Callable[[ServerSettings, Collection[str]], bool] = is_always_open
    """Whether clients may be registered for it, with these settings and the grant types that are served."""
    describe: Callable[[ServerSettings], Mapping[str, Sequence[str]]] = describe_nothing
    """Further members of the metadata document for each endpoint, named without their ``…_endpoint_auth_``. Each is a
    list; what several methods say of the same member is joined."""


class ClientAuthentication:
    """Chooses the method by what the request carries; each method accepts only the clients registered for it.

    So a request whose assertion was refused never gets in by a weaker method (RFC 7591 §2).

    :param table: The methods, in the order in which they are tried.
    :param parts: What they are built from.
    """

    def __init__(self, table: Iterable[ClientAuthMethod], parts: AuthenticationParts) -> None:
        built = [(entry, method) for entry in table if (method := entry.build(parts)) is not None]
        self._methods = tuple((entry.is_tried, method) for entry, method in built)
        (self._usual,) = (method for entry, method in built if entry.is_usual)

    def verify(self, request: FormRequest) -> VerifiedClient:
        """See :meth:`ClientAuthenticationMethod.verify`."""
        for is_tried, method in self._methods:
            if is_tried(request):
                return method.verify(request)
        return self._usual.verify(request)
