"""The demo's two clients, as their owners know them; the token server knows them by registration only."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .folder import FOLDER


@dataclass(frozen=True, slots=True)
class DemoClient:
    """A client without a shared secret: it has a key of its own."""

    client_id: str
    alg: str
    """The algorithm of its key, e.g. ``ES256``."""
    scope: str
    path: str
    """What it calls at the API."""
    dpop: bool
    """Whether its tokens are bound to a key (RFC 9449)."""

    @property
    def key_prefix(self) -> Path:
        """What the names of its key files begin with."""
        return FOLDER / "keys" / self.client_id

    @property
    def key_file(self) -> Path:
        """Its private key, PEM, mode 0600."""
        return FOLDER / "keys" / f"{self.client_id}.pem"

    @property
    def jwks_file(self) -> Path:
        """The public half, as a JWK Set."""
        return FOLDER / "keys" / f"{self.client_id}.jwks.json"

    @property
    def registration_file(self) -> Path:
        """What its owner hands to the token server's operator."""
        return FOLDER / "clients" / f"{self.client_id}.json"

    def build_registration(self) -> dict[str, Any]:
        """Its registration in the words of RFC 7591 §2, with the public half of its key."""
        return {
            "client_id": self.client_id,
            "client_name": f"Demo: {self.client_id}",
            "grant_types": ["client_credentials"],
            "scope": self.scope,
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": self.alg,
            "dpop_bound_access_tokens": self.dpop,
            "jwks": json.loads(self.jwks_file.read_text()),
        }


MOBILE = DemoClient("mobile-client", alg="ES256", scope="mobile", path="/api/values", dpop=False)
MOBILE_DPOP = DemoClient("mobile-dpop-client", alg="PS256", scope="scope-dpop", path="/dpop/values", dpop=True)
CLIENTS = {client.client_id: client for client in (MOBILE, MOBILE_DPOP)}
