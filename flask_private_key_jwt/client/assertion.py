"""Make a client assertion (RFC 7523 §2.2, §3; OpenID Connect Core §9)."""

import secrets
from typing import Any

from .. import clock
from ..jose import jose
from ..jose.certificates import Certificate

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME_SECONDS = 60


def build_client_assertion(
    client_id: str,
    audience: str,
    *,
    key: jose.PrivateKey,
    kid: str | None = None,
    certificate: Certificate | None = None,
    lifetime: int = LIFETIME_SECONDS,
    typ: str | None = None,
) -> str:
    """Make a new assertion, good for one token request.

    :param audience: The server's issuer. The token endpoint's URL only for a server that insists on it: a hostile
        server can name another's endpoint as its own, and would be handed an assertion that is good there.
    :param kid: The key's name at the server. Default: the ``kid`` of its JWK, else its RFC 7638 thumbprint, which is
        what ``keygen`` writes; with a *certificate* its SHA-1 thumbprint in upper-case hex, as .NET sends it.
        ``""`` sends none.
    :param certificate: The key's certificate; its ``x5t`` goes along (RFC 7515 §4.1.7).
    :param lifetime: ``exp`` minus now, in seconds.
    :param typ: The media type in the header. None by default: servers should not insist on
        ``client-authentication+jwt`` (draft-ietf-oauth-rfc7523bis), and some refuse what they do not know.
    """
    now = clock.now()
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,  # text, never a list: FAPI 2.0 §5.3.2.1 takes nothing else
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
