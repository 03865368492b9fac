"""What one client asks one authorization server, without I/O: metadata, and forms that it signs."""

import time

from ..errors import ConfigurationError
from ..fetching.discovery import ServerMetadata, metadata_steps
from ..fetching.exchange import FetchedAnswer, NoAnswer, time_left
from ..fetching.steps import Fetch, Form, Shared, Steps
from .assertion import Assertions, check_names
from .endpoint import FormEndpoint
from .proofs import Prover

_MOVED = (301, 302, 303, 307, 308, 404, 410)
"""Status codes which say that the endpoint is no longer at this URL."""


class PublicClient:
    """Authenticates a client that has no key (``none``): it only says who it is.

    :raises ConfigurationError: The issuer or the client_id is none.
    """

    def __init__(self, issuer: str, client_id: str) -> None:
        check_names(issuer, client_id)
        self.client_id = client_id

    def credentials(self, assertion: str | None = None) -> Form:
        """Nothing: every form has the ``client_id`` already."""
        return []


class ClientSteps:
    """One client at one authorization server; safe to share between threads, and between event loops.

    :param issuer: The server's issuer identifier.
    :param authentication: Authenticates the client there.
    :param timeout: Longest wait for the server in each call, discovery included, in seconds.
    :raises ConfigurationError: The timeout is not more than 0.
    """

    def __init__(self, issuer: str, authentication: Assertions | PublicClient, *, timeout: float) -> None:
        if not timeout > 0:
            raise ConfigurationError(f"The timeout must be more than 0 seconds, not {timeout!r}.")
        self.issuer = issuer
        self.client_id = authentication.client_id
        self._authentication = authentication
        self.timeout = timeout
        self._metadata: ServerMetadata | None = None

    def metadata(self) -> Steps[ServerMetadata]:
        """The server's metadata, fetched at first use.

        :raises DiscoveryError: It could not be fetched, or is about another issuer.
        """
        # Read once: another thread may drop it. Of those who find none, one fetches it for all.
        known = self._metadata
        if known is not None:
            return known
        fetched: ServerMetadata = yield Shared("metadata", self._discover)
        return fetched

    def post(
        self, endpoint: FormEndpoint, form: Form, *, assertion: str | None = None, prover: Prover | None = None
    ) -> Steps[FetchedAnswer]:
        """Post a form, authenticated as this client (RFC 7523 §2.2), and return the answer, success or error.

        :param assertion: An assertion to send instead of a new one.
        :param prover: Makes the DPoP proof (RFC 9449 §5), if one is needed.
        :raises DiscoveryError: The server's metadata could not be fetched, or names no such endpoint.
        :raises EndpointError: There was no answer; raised as the endpoint's own subclass.
        """
        deadline = time.monotonic() + self.timeout
        metadata = yield from self.metadata()
        url = metadata.endpoint(endpoint.member)
        credentials = self._authentication.credentials(assertion)
        headers = {"DPoP": prover.prove(method="POST", url=url)} if prover else {}
        try:
            answer: FetchedAnswer = yield Fetch("POST", url, time_left(deadline), [*form, *credentials], headers)
        except NoAnswer as error:
            self._metadata = None  # the endpoint may have moved: look it up again next time
            raise endpoint.failure(f"{endpoint.undone}: {error}") from None
        if answer.status in _MOVED:
            self._metadata = None
        return answer

    def _discover(self) -> Steps[ServerMetadata]:
        self._metadata = metadata = yield from metadata_steps(self.issuer, timeout=self.timeout)
        return metadata
