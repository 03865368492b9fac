"""The same client in the plan for Message Signing: it pushes its requests as signed request objects."""

import secrets
from dataclasses import dataclass, field

from flask_private_key_jwt import clock
from flask_private_key_jwt.jose import jose
from tests.openid_suite.relying_party import ISSUER, NO_PROOF, PAR, RelyingParty, without_none

ODD_TYPE = "OautH-auThZ-REQ+jWt"


@dataclass
class SigningParty(RelyingParty):
    """Client 1 sends no ``typ``; client 2 an odd one, ``iat``, a long ``state``, and everything in another order."""

    is_second: bool = False
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    def __post_init__(self):
        if self.is_second:
            self.state = secrets.token_hex(64)

    def request_object(self, *, key=None, header=None, **changes):
        now = clock.now()
        claims = {**self.request(), "iss": self.client_id, "aud": ISSUER, "nbf": now, "exp": now + 300}
        full = {"kid": self.key.public.thumbprint}
        if self.is_second:
            claims = {"iat": now, "nonce": self.nonce, **dict(reversed(claims.items()))}
            full["typ"] = ODD_TYPE
        return jose.sign(without_none({**full, **(header or {})}), without_none({**claims, **changes}), key or self.key)

    def push(self, *, text=None, proof=NO_PROOF, proof_key=None, assertion=None, key=None, header=None, **claims):
        """Push a request object, and nothing beside it but the assertion."""
        request = self.request_object(key=key, header=header, **claims) if text is None else text
        return self.post(PAR, {"request": request}, proof=proof, proof_key=proof_key, assertion=assertion)

    def push_unsigned(self, **changes):
        """Push the plain parameters."""
        return super().push(**changes)
