"""Make client assertions (RFC 7523 §2.2, §3; OpenID Connect Core §9)."""

import secrets
from typing import Any

from .. import clock
from ..errors import ConfigurationError
from ..jose import jose
from ..jose.certificates import Certificate
from ..settings.values import https_url, resource_uri
from .certificate import CertificateSource, load_client_certificate
from .key import KeySource, load_key

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME_SECONDS = 60

_FORMER_WORDS = ("issuer", "token_endpoint")


class Assertions:
    """The assertions of one client for one authorization server; safe to use from several threads.

    :param issuer: The server's issuer identifier.
    :param audience: A URL to use as their ``aud`` instead of the issuer.
    :raises ConfigurationError: An argument is wrong; the message says which and why.
    """

    def __init__(
        self,
        issuer: str,
        client_id: str,
        *,
        key: KeySource,
        alg: str | None,
        key_password: str | None,
        kid: str | None,
        certificate: CertificateSource | None,
        audience: str | None,
    ) -> None:
        check_names(issuer, client_id)
        self.client_id = client_id
        self.audience = issuer if audience is None else _check_audience(audience)
        self.key = load_key(key, alg=alg, password=key_password)
        self._kid = kid
        self._certificate = None if certificate is None else load_client_certificate(certificate, self.key)

    @property
    def header(self) -> dict[str, Any]:
        """How the server finds the key, in everything that it signs."""
        return name_key(self.key, kid=self._kid, certificate=self._certificate)

    def credentials(self, assertion: str | None = None) -> list[tuple[str, str]]:
        """What authenticates one request (RFC 7523 §2.2).

        :param assertion: An assertion to send instead of a new one.
        """
        return [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion or self.build())]

    def build(self) -> str:
        """A new assertion, for one request."""
        return build_client_assertion(
            self.client_id, self.audience, key=self.key, kid=self._kid, certificate=self._certificate
        )


def build_client_assertion(
    client_id: str,
    audience: str,
    *,
    key: jose.PrivateKey,
    kid: str | None = None,
    certificate: CertificateSource | None = None,
    lifetime: int = LIFETIME_SECONDS,
    typ: str | None = None,
) -> str:
    """Make a new assertion, for one request (RFC 7523 §3).

    :param client_id: Its ``iss`` and ``sub``.
    :param audience: Its ``aud``: the server's issuer. The token endpoint's URL only for a server that requires it.
    :param key: The key that signs it.
    :param kid: The key's name at the server. Default: the ``kid`` of its JWK, else its RFC 7638 thumbprint, which
        ``keygen`` writes; with a *certificate*, the certificate's SHA-1 thumbprint in upper-case hex, as .NET sends it.
        ``""`` sends no ``kid``.
    :param certificate: The key's certificate (path, PEM or base64 DER); its ``x5t`` is sent too (RFC 7515 §4.1.7).
    :param lifetime: ``exp`` minus now, in seconds.
    :param typ: The media type in the header. Default: no ``typ``. Servers should not require
        ``client-authentication+jwt`` (draft-ietf-oauth-rfc7523bis), and some servers refuse a ``typ`` they do not know.
    :raises ConfigurationError: The certificate cannot be used.
    """
    if not isinstance(certificate, Certificate | None):  # a loaded certificate was checked when it was loaded
        certificate = load_client_certificate(certificate, key)
    now = clock.now()
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,  # a string, never a list: FAPI 2.0 §5.3.2.1 accepts nothing else
        "jti": secrets.token_urlsafe(24),
        "iat": now,
        "exp": now + lifetime,
    }
    header = name_key(key, kid=kid, certificate=certificate)
    return jose.sign({**({"typ": typ} if typ else {}), **header}, claims, key)


def name_key(key: jose.PrivateKey, *, kid: str | None, certificate: Certificate | None) -> dict[str, Any]:
    """The header parameters by which the server finds the key (RFC 7515 §4.1.4, §4.1.7)."""
    usual = certificate.sha1_hex if certificate else key.public.kid or key.public.thumbprint
    chosen = usual if kid is None else kid
    return {**({"kid": chosen} if chosen else {}), **({"x5t": certificate.x5t} if certificate else {})}


def check_names(issuer: str, client_id: str) -> None:
    """Check the names of a server and of a client there.

    :raises ConfigurationError: The issuer is no https URL (http on loopback only), or the client_id is empty.
    """
    try:
        https_url(issuer)
    except ValueError as error:
        raise ConfigurationError(f"The issuer {issuer!r} is not accepted: it {error}.") from None
    if not isinstance(client_id, str) or not client_id:
        raise ConfigurationError("The client_id is empty.")


def _check_audience(audience: str) -> str:
    # The audience is never taken from the metadata. A hostile server could name the endpoint of another server there,
    # and would get an assertion that is valid at that server.
    if audience in _FORMER_WORDS:
        raise ConfigurationError(
            f"The audience is a URL, not the word {audience!r}: leave it out for the issuer, or give the URL of the "
            "token endpoint, for a server that insists on it."
        )
    try:
        resource_uri(audience if isinstance(audience, str) else "")
    except ValueError as error:
        raise ConfigurationError(f"The audience {audience!r} is not the URL of a token endpoint: it {error}.") from None
    return audience
