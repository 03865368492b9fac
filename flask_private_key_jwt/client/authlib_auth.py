"""AuthlibClientAuth: give it to an Authlib client in the place of a client secret.

Authlib's own ``PrivateKeyJWT`` signs for the token endpoint and for an hour, and repeats its ``jti`` when it is given
claims. This one works against any server, with Authlib's clients for Flask, requests and httpx alike.
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

    A session's adapter that posts a form again by itself (urllib3's ``Retry`` with ``allowed_methods=None``) repeats
    the assertion, which servers refuse: keep such an adapter off the token endpoint, and repeat the call instead.

    ::

        auth = AuthlibClientAuth("https://as.example", "web", key="web.pem")
        oauth.register(
            "as",
            client_id="web",
            client_kwargs={"token_endpoint_auth_method": auth, "revocation_endpoint_auth_method": auth, …},
        )

    :param issuer: The server's issuer identifier, character by character (RFC 8414 §3.3).
    :param client_id: As the client is registered there.
    :param key: What the client signs with: as :func:`~flask_private_key_jwt.client.load_key` takes it.
    :param alg: The algorithm to sign with; default as in :func:`~flask_private_key_jwt.client.load_key`.
    :param key_password: Of an encrypted PEM or PKCS #12 file.
    :param kid: The key's name at the server; default as in
        :func:`~flask_private_key_jwt.client.build_client_assertion`.
    :param certificate: The key's certificate (path, PEM or base64 DER), where the server knows the client by one.
    :param audience: The ``aud`` of the assertions. Default: the issuer. For a server that insists on the older rule
        (RFC 7523 §3): the URL of its token endpoint.
    :raises ConfigurationError: One of these is wrong; the message says which and why.
    """

    name = "private_key_jwt"
    """For those who call Authlib's ``register_client_auth_method`` instead."""

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
        """New form parameters that authenticate the client once (RFC 7521 §4.2), for any client that can add some."""
        return {
            "client_id": self.client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self._assertions.build(),
        }

    def __call__(self, client: Any, method: str, uri: str, headers: Any, body: Any) -> tuple[str, Any, Any]:
        """Called by Authlib when a request is otherwise ready; its ``client_secret``, if it has one, stays unused.

        :param client: Authlib's ``ClientAuth``.
        :param body: The form, as text (requests) or bytes (httpx).
        :raises ConfigurationError: Authlib's client has another client_id, or puts the form into the address.
        """
        if client.client_id not in (None, self.client_id):
            raise ConfigurationError(
                f"Authlib's client is {client.client_id!r}, but the assertions are those of {self.client_id!r}."
            )
        if method.upper() != "POST":  # addresses end in logs
            raise ConfigurationError(f"An assertion is sent in the body of a POST, not with {method}.")
        text = body.decode() if isinstance(body, bytes) else body or ""
        pairs = [pair for pair in parse_qsl(text, keep_blank_values=True) if pair[0] not in _CREDENTIALS]
        form = urlencode([*pairs, *self.build_credentials().items()])
        return uri, headers, form.encode() if isinstance(body, bytes) else form
