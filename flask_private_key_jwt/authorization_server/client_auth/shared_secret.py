"""A client that shares a secret with the server, and sends it in a header or in the form (RFC 6749 §2.3.1)."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from ...errors import InvalidClient
from ...replay.base import Mark
from ...settings.server import ServerSettings
from ...signals.refusal import attributed_to
from ..client_lookup import NotAdmitted, load_enabled
from ..keys.client_secrets import SecretNotAccepted, UsedSecret, check_secrets_count
from ..registered_client import RegisteredClient
from .base import AuthenticationParts, ClientAuthenticationMethod


def are_secrets_open(settings: ServerSettings, _grant_types: Collection[str]) -> bool:
    """Whether shared secrets count now: ``OAUTH2_CLIENT_SECRETS_UNTIL`` is set, and not over."""
    try:
        check_secrets_count(settings)
    except SecretNotAccepted:
        return False
    return True


def if_switched_on(
    build: Callable[[AuthenticationParts], ClientAuthenticationMethod],
) -> Callable[[AuthenticationParts], ClientAuthenticationMethod | None]:
    """Build a method only if ``OAUTH2_CLIENT_SECRETS_UNTIL`` is set, so that it costs nothing otherwise."""
    return lambda parts: None if parts.settings.CLIENT_SECRETS_UNTIL is None else build(parts)


@dataclass(frozen=True, slots=True)
class ClientWithSecret:
    """A client that has sent one of its secrets."""

    client: RegisteredClient
    method: str
    """How it has sent it."""
    secret: UsedSecret
    marks: tuple[Mark, ...] = ()
    thumbprint: str | None = None


@dataclass(frozen=True, slots=True)
class SentSecret:
    """What such a client sends."""

    client_id: str
    password: str = field(repr=False)


class SharedSecrets:
    """Compares what a client sends with what is kept of its secrets.

    :param parts: What a method can be built from.
    :param method: The name of the method.
    :param refusal: What is raised if the secret is not accepted.
    """

    def __init__(self, parts: AuthenticationParts, *, method: str, refusal: type[InvalidClient]) -> None:
        self._settings = parts.settings
        self._clients = parts.registered_clients  # a client registered by a document has no secret
        self._secrets = parts.client_secrets
        self._method = method
        self._refusal = refusal

    def verify(self, sent: SentSecret) -> ClientWithSecret:
        """The client, if the secret is one of its own and counts now.

        :raises InvalidClient: It is not.
        :raises StoreUnavailable: The clients or their secrets cannot be read.
        """
        try:
            check_secrets_count(self._settings)
            client = load_enabled(self._clients, sent.client_id)
            with attributed_to(client.client_id):
                return ClientWithSecret(client, self._method, self._find(client, sent.password))
        except NotAdmitted as problem:
            raise self._refusal(str(problem), cause=problem.cause) from None
        except SecretNotAccepted as problem:
            raise self._refusal(str(problem), cause=problem.cause) from None

    def _find(self, client: RegisteredClient, password: str) -> UsedSecret:
        try:
            return self._secrets.find_password(client, self._method, password)
        except SecretNotAccepted as problem:
            raise self._refusal(str(problem), cause=problem.cause) from None
