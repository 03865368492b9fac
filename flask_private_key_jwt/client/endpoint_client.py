"""Post forms to the endpoints of an authorization server: discovery, a new assertion, one HTTP exchange with limits."""

import time
from collections.abc import Mapping

from ..errors import ConfigurationError
from ..fetching.discovery import ServerMetadata, fetch_metadata
from ..fetching.exchange import TIMEOUT_SECONDS, FetchedAnswer, NoAnswer, exchange, time_left
from ..fetching.outbound import build_outbound
from ..fetching.single_flight import SingleFlight
from .assertion import ASSERTION_TYPE, Assertions
from .certificate import CertificateSource
from .endpoint import FormEndpoint
from .key import KeySource
from .proofs import Prover

Form = list[tuple[str, str]]

_MOVED = (301, 302, 303, 307, 308, 404, 410)
"""Status codes which say that the endpoint is no longer at this URL."""


class EndpointClient:
    """One client at one authorization server, for any of its endpoints; safe to use from several threads.

    :param issuer: The server's issuer identifier, character by character (RFC 8414 §3.3).
    :param client_id: The id under which the client is registered there.
    :param key: The client's private key, in any form that :func:`~flask_private_key_jwt.client.load_key` accepts.
    :param alg: The algorithm to sign with; default as in :func:`~flask_private_key_jwt.client.load_key`.
    :param key_password: The password of an encrypted PEM or PKCS #12 file.
    :param kid: The key's name at the server; default as in
        :func:`~flask_private_key_jwt.client.build_client_assertion`.
    :param certificate: The key's certificate (path, PEM or base64 DER), if the server identifies the client by one.
    :param audience: The ``aud`` of the assertions. Default: the issuer. For a server that requires the older rule
        (RFC 7523 §3): the URL of its token endpoint, which is then the ``aud`` at its other endpoints too.
    :param timeout: Longest wait for the server in each call, discovery included, in seconds.
    :param proxies: The proxies to use, in the form that ``requests`` takes; ``{}``: none. Default: those of the
        environment (``HTTPS_PROXY``, ``NO_PROXY``). Not used for a server on this machine.
    :param ca_bundle: Path of the certificate authorities to trust (PEM). Default: ``REQUESTS_CA_BUNDLE``, else those of
        ``requests``.
    :raises ConfigurationError: An argument is wrong; the message says which and why.
    """

    def __init__(
        self,
        issuer: str,
        client_id: str,
        *,
        key: KeySource,
        alg: str | None = None,
        key_password: str | None = None,
        kid: str | None = None,
        certificate: CertificateSource | None = None,
        audience: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
        proxies: Mapping[str, str] | None = None,
        ca_bundle: str | None = None,
    ) -> None:
        if not timeout > 0:
            raise ConfigurationError(f"The timeout must be more than 0 seconds, not {timeout!r}.")
        self.issuer = issuer
        self.client_id = client_id
        self._assertions = Assertions(
            issuer,
            client_id,
            key=key,
            alg=alg,
            key_password=key_password,
            kid=kid,
            certificate=certificate,
            audience=audience,
        )
        self.key = self._assertions.key
        self._timeout = timeout
        self._outbound = build_outbound(proxies, ca_bundle)
        self._metadata: ServerMetadata | None = None
        self._discovery: SingleFlight[ServerMetadata] = SingleFlight()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.client_id!r} at {self.issuer!r}>"

    def metadata(self) -> ServerMetadata:
        """The server's metadata, fetched at first use.

        :raises DiscoveryError: It could not be fetched, or is about another issuer.
        """
        # Read once: another thread may drop it. Of the threads that find none, one fetches it for all.
        return self._metadata or self._discovery.run(self.issuer, self._discover)

    def build_assertion(self) -> str:
        """A new client assertion for this server, for one request."""
        return self._assertions.build()

    def _post(
        self, endpoint: FormEndpoint, form: Form, *, assertion: str | None = None, prover: Prover | None = None
    ) -> FetchedAnswer:
        """Post a form, authenticated as this client (RFC 7523 §2.2), and return the answer, success or error.

        :param assertion: An assertion to send instead of a new one.
        :param prover: Makes the DPoP proof (RFC 9449 §5), if one is needed.
        :raises DiscoveryError: The server's metadata could not be fetched, or names no such endpoint.
        :raises EndpointError: There was no answer; raised as the endpoint's own subclass.
        """
        deadline = time.monotonic() + self._timeout
        url = self.metadata().endpoint(endpoint.member)
        credentials = [
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", assertion or self.build_assertion()),
        ]
        headers = {"DPoP": prover.prove(method="POST", url=url)} if prover else {}
        try:
            answer = exchange(
                "POST",
                url,
                form=[*form, *credentials],
                headers=headers,
                timeout=time_left(deadline),
                outbound=self._outbound,
            )
        except NoAnswer as error:
            self._metadata = None  # the endpoint may have moved: look it up again next time
            raise endpoint.failure(f"{endpoint.undone}: {error}") from None
        if answer.status in _MOVED:
            self._metadata = None
        return answer

    def _discover(self) -> ServerMetadata:
        self._metadata = metadata = fetch_metadata(self.issuer, timeout=self._timeout, outbound=self._outbound)
        return metadata
