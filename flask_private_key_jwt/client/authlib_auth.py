"""AuthlibClientAuth: give it to an Authlib client instead of a client secret.

The assertions of Authlib's own ``PrivateKeyJWT`` name the token endpoint as audience, live for an hour, and all have
the same ``jti`` if it is given claims. This class works with any server, and with Authlib's clients for Flask, requests
and httpx.
"""

from typing import Any
from urllib.parse import parse_qsl, urlencode

from ..errors import ConfigurationError
from .assertion import ASSERTION_TYPE, Assertions
from .certificate import CertificateSource
from .key import KeySource

_CREDENTIALS = frozenset({"client_id", "client_secret", "client_assertion", "client_assertion_type"})


class AuthlibClientAuth:
    """Signs a new assertion for every request to the token or the revocation endpoint; safe to share between threads.

    Do not use a session adapter that repeats a POST by itself (urllib3's ``Retry`` with ``allowed_methods=None``) for
    the token endpoint: it repeats the assertion, which servers refuse. Repeat the call instead.

    ::

        auth = AuthlibClientAuth("https://as.example", "web", key="web.pem")
        oauth.register(
            "as",
            client_id="web",
            client_kwargs={"token_endpoint_auth_method": auth, "revocation_endpoint_auth_method": auth, …},
        )

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
    :raises ConfigurationError: An argument is wrong; the message says which and why.
    """

    name = "private_key_jwt"
    """The method's name, for Authlib's ``register_client_auth_method``."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        *,
        key: KeySource,
        alg: str | None = None,
        kid: str | None = None,
        key_password: str | None = None,
        certificate: CertificateSource | None = None,
        audience: str | None = None,
    ) -> None:
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

    def __repr__(self) -> str:
        return f"<AuthlibClientAuth {self.client_id!r} for {self._assertions.audience!r}>"

    def build_credentials(self) -> dict[str, str]:
        """New form parameters that authenticate one request (RFC 7521 §4.2), for any client that can add parameters."""
        return {
            "client_id": self.client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self._assertions.build(),
        }

    def __call__(self, client: Any, method: str, uri: str, headers: Any, body: Any) -> tuple[str, Any, Any]:
        """Called by Authlib when the rest of a request is ready; a ``client_secret`` of Authlib's client is not used.

        :param client: Authlib's ``ClientAuth``.
        :param body: The form, as a string (requests) or bytes (httpx).
        :raises ConfigurationError: Authlib's client has another client_id, or puts the form into the URL.
        """
        if client.client_id not in (None, self.client_id):
            raise ConfigurationError(
                f"Authlib's client is {client.client_id!r}, but the assertions are those of {self.client_id!r}."
            )
        if method.upper() != "POST":  # URLs are logged
            raise ConfigurationError(f"An assertion is sent in the body of a POST, not with {method}.")
        text = body.decode() if isinstance(body, bytes) else body or ""
        pairs = [pair for pair in parse_qsl(text, keep_blank_values=True) if pair[0] not in _CREDENTIALS]
        form = urlencode([*pairs, *self.build_credentials().items()])
        return uri, headers, form.encode() if isinstance(body, bytes) else form
