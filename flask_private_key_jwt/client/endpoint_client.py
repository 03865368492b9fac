"""Post forms to the endpoints of an authorization server, with threads: runs the steps of ``client_steps.py``."""

from collections.abc import Mapping

from ..fetching.discovery import ServerMetadata
from ..fetching.exchange import TIMEOUT_SECONDS, FetchedAnswer, Runner
from ..fetching.outbound import build_outbound
from ..fetching.steps import Form as Form
from .assertion import Assertions
from .certificate import CertificateSource
from .client_steps import ClientSteps
from .endpoint import FormEndpoint
from .key import KeySource
from .proofs import Prover


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
        self._steps = ClientSteps(issuer, self._assertions, timeout=timeout)
        self._runner = Runner(build_outbound(proxies, ca_bundle))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.client_id!r} at {self.issuer!r}>"

    def metadata(self) -> ServerMetadata:
        """The server's metadata, fetched at first use.

        :raises DiscoveryError: It could not be fetched, or is about another issuer.
        """
        return self._runner.run(self._steps.metadata())

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
        return self._runner.run(self._steps.post(endpoint, form, assertion=assertion, prover=prover))
