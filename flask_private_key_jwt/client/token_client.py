"""Ask a token endpoint for tokens: discovery, a fresh assertion, a proof, one retry for a nonce."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from .. import clock
from ..discovery import TIMEOUT_SECONDS, Answer, NoAnswer, ServerMetadata, exchange, fetch_metadata
from ..errors import ConfigurationError
from ..keys import jose
from ..settings import https_url
from .assertion import ASSERTION_TYPE, build_client_assertion
from .certificate import CertificateSource, load_client_certificate
from .errors import TokenRequestError
from .key import KeySource, load_key
from .proofs import Prover
from .token import Token, TokenType, find_error, read_token

log = logging.getLogger(__name__)

Audience = Literal["issuer", "token_endpoint"]


class TokenClient:
    """One client at one authorization server (RFC 6749 §4.4 with RFC 7523 §2.2); safe to use from several threads.

    :param issuer: The server's issuer identifier, character by character (RFC 8414 §3.3).
    :param key: What the client signs with: path or text of a PEM or JWK, a JWK, or a loaded key.
    :param alg: The algorithm to sign with; default as in :func:`~flask_private_key_jwt.client.load_key`.
    :param key_password: Of an encrypted PEM.
    :param kid: The key's name at the server; default as in
        :func:`~flask_private_key_jwt.client.build_client_assertion`.
    :param certificate: The key's certificate (path, PEM or base64 DER), where the server knows the client by one.
    :param audience: ``issuer``, or ``token_endpoint`` for a server that insists on the older rule (RFC 7523 §3).
    :param dpop_key: Binds the tokens to this key (RFC 9449 §5); ``None`` asks for Bearer tokens.
    :param timeout: Longest wait for each request to the server, in seconds.
    :param ca_bundle: Path of the certificate authorities to trust; default: those of ``requests``.
    :raises ConfigurationError: One of these is wrong; the message says which and why.
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
        audience: Audience = "issuer",
        dpop_key: jose.PrivateKey | None = None,
        timeout: float = TIMEOUT_SECONDS,
        ca_bundle: str | None = None,
    ) -> None:
        _check_names(issuer, client_id, audience)
        _check_connection(timeout, ca_bundle)
        self.issuer = issuer
        self.client_id = client_id
        self.key = load_key(key, alg=alg, password=key_password)
        self._kid = kid
        self._certificate = None if certificate is None else load_client_certificate(certificate, self.key)
        self._audience = audience
        self._prover = Prover(dpop_key) if dpop_key else None
        self._timeout = timeout
        self._ca_bundle = ca_bundle
        self._metadata: ServerMetadata | None = None

    def __repr__(self) -> str:
        return f"<TokenClient {self.client_id!r} at {self.issuer!r}>"

    @property
    def token_type(self) -> TokenType:
        """The only type of token that is accepted."""
        return "DPoP" if self._prover else "Bearer"

    def metadata(self) -> ServerMetadata:
        """The server's metadata, fetched at first use.

        :raises DiscoveryError: It could not be had, or is about another issuer.
        """
        if self._metadata is None:
            self._metadata = fetch_metadata(self.issuer, timeout=self._timeout, ca_bundle=self._ca_bundle)
        return self._metadata

    def build_assertion(self) -> str:
        """A new client assertion for this server, good for one request.

        :raises DiscoveryError: As :meth:`metadata`, where the audience is the token endpoint.
        """
        audience = self.issuer if self._audience == "issuer" else self.metadata().token_endpoint
        return build_client_assertion(
            self.client_id, audience, key=self.key, kid=self._kid, certificate=self._certificate
        )

    def request_token(
        self, *, scope: str | None = None, resource: str | Sequence[str] = (), assertion: str | None = None
    ) -> Token:
        """Get a new token with the client's own authority (RFC 6749 §4.4).

        :param scope: Scopes, parted by spaces; default: the server's choice.
        :param resource: What the token is for (RFC 8707 §2).
        :param assertion: To be sent first instead of a new one, for showing the steps one by one.
        :raises DiscoveryError: The server's metadata could not be had.
        :raises TokenRequestError: There was no answer, a refusal, or no token of the wanted type.
        """
        form = [("grant_type", "client_credentials"), ("client_id", self.client_id)]
        form += [("scope", scope)] if scope else []
        form += [("resource", value) for value in ([resource] if isinstance(resource, str) else resource)]
        now = clock.now()
        answer, may_retry = self._send(form, assertion or self.build_assertion())
        if may_retry:
            # Some servers spend the assertion with the refusal, so the retry has one of its own.
            answer, _ = self._send(form, self.build_assertion())
        token = read_token(answer, wanted=self.token_type, now=now)
        log.debug("client %s got a %s token from %s", self.client_id, token.token_type, self.issuer)
        return token

    def _send(self, form: list[tuple[str, str]], assertion: str) -> tuple[Answer, bool]:
        """Send one token request; also say whether the server only asks for a nonce, and gave one (RFC 9449 §8)."""
        url = self.metadata().token_endpoint
        credentials = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion)]
        headers = {"DPoP": self._prover.prove(method="POST", url=url)} if self._prover else {}
        try:
            answer = exchange(
                "POST",
                url,
                form=[*form, *credentials],
                headers=headers,
                timeout=self._timeout,
                ca_bundle=self._ca_bundle,
            )
        except NoAnswer as error:
            self._metadata = None  # the endpoint may have moved: look it up again next time
            raise TokenRequestError(f"No token: {error}") from None
        has_nonce = self._prover is not None and self._prover.learn(answer.headers)
        return answer, has_nonce and find_error(answer) == "use_dpop_nonce"


def _check_names(issuer: str, client_id: str, audience: str) -> None:
    try:
        https_url(issuer)
    except ValueError as error:
        raise ConfigurationError(f"The issuer {issuer!r} is not accepted: it {error}.") from None
    if not isinstance(client_id, str) or not client_id:
        raise ConfigurationError("The client_id is empty.")
    if audience not in ("issuer", "token_endpoint"):
        raise ConfigurationError(f"The audience {audience!r} is neither 'issuer' nor 'token_endpoint'.")


def _check_connection(timeout: float, ca_bundle: str | None) -> None:
    if not timeout > 0:
        raise ConfigurationError(f"The timeout must be more than 0 seconds, not {timeout!r}.")
    if ca_bundle is not None and not Path(ca_bundle).exists():
        raise ConfigurationError(f"The ca_bundle {ca_bundle!r} does not exist.")
