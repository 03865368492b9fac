"""Request tokens and revoke them, with threads: runs the steps of ``token_steps.py``."""

from collections.abc import Mapping, Sequence

from ..fetching.exchange import TIMEOUT_SECONDS
from ..jose import jose
from .certificate import CertificateSource
from .endpoint_client import EndpointClient
from .key import KeySource
from .proofs import Prover
from .token import Token, TokenType
from .token_steps import TokenSteps


class TokenClient(EndpointClient):
    """One client at one authorization server (RFC 6749 §4.4 with RFC 7523 §2.2); safe to use from several threads.

    :param issuer: The server's issuer identifier, character by character (RFC 8414 §3.3).
    :param client_id: The id under which the client is registered there.
    :param key: The client's private key, in any form that :func:`~flask_private_key_jwt.client.load_key` accepts.
    :param alg: The algorithm to sign with; default as in :func:`~flask_private_key_jwt.client.load_key`.
    :param key_password: The password of an encrypted PEM or PKCS #12 file.
    :param kid: The key's name at the server; default as in
        :func:`~flask_private_key_jwt.client.build_client_assertion`.
    :param certificate: The key's certificate (path, PEM or base64 DER), if the server identifies the client by one.
    :param audience: The ``aud`` of the assertions. Default: the issuer. For a server that requires the older rule
        (RFC 7523 §3): the URL of its token endpoint.
    :param dpop_key: Binds the tokens to this key (RFC 9449 §5); ``None`` asks for Bearer tokens.
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
        dpop_key: jose.PrivateKey | None = None,
        timeout: float = TIMEOUT_SECONDS,
        proxies: Mapping[str, str] | None = None,
        ca_bundle: str | None = None,
    ) -> None:
        super().__init__(
            issuer,
            client_id,
            key=key,
            alg=alg,
            key_password=key_password,
            kid=kid,
            certificate=certificate,
            audience=audience,
            timeout=timeout,
            proxies=proxies,
            ca_bundle=ca_bundle,
        )
        self._tokens = TokenSteps(self._steps, Prover(dpop_key) if dpop_key else None)

    @property
    def token_type(self) -> TokenType:
        """The only type of token that is accepted."""
        return self._tokens.token_type

    def request_token(
        self, *, scope: str | None = None, resource: str | Sequence[str] = (), assertion: str | None = None
    ) -> Token:
        """Get a new token by the client_credentials grant (RFC 6749 §4.4).

        :param scope: Scopes, separated by spaces; default: the server decides.
        :param resource: The API or APIs that the token is for (RFC 8707 §2).
        :param assertion: An assertion to send first instead of a new one, to show the steps one by one.
        :raises DiscoveryError: The server's metadata could not be fetched.
        :raises TokenRequestError: The server did not answer, refused, or gave no token of the wanted type.
        """
        return self._runner.run(self._tokens.request_token(scope=scope, resource=resource, assertion=assertion))

    def revoke_token(self, token: str, token_type_hint: str | None = None) -> None:
        """Revoke a token (RFC 7009 §2.1); a token that the server does not know counts as revoked.

        :param token: An access token or a refresh token of this client. A revoked refresh token also ends the tokens
            that came from it.
        :param token_type_hint: ``access_token`` or ``refresh_token``, if known: servers look for that kind first.
        :raises DiscoveryError: The server's metadata could not be fetched, or names no revocation endpoint.
        :raises RevocationError: The server did not answer, or refused: the token may still be active.
        """
        self._runner.run(self._tokens.revoke_token(token, token_type_hint))
