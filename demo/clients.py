"""The demo's clients, from their owners' side; the token server only knows what they register."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .folder import FOLDER


@dataclass(frozen=True, slots=True)
class DemoClient:
    """A client without a shared secret; it has its own key."""

    client_id: str
    alg: str
    """The algorithm of its key, e.g. ``ES256``."""
    scope: str
    path: str
    """What it calls at the API."""
    dpop: bool
    """Whether its tokens are bound to a key (RFC 9449)."""
    redirect_path: str | None = None
    """Its redirect URI on loopback (RFC 8252 §7.3); ``None`` if it acts for itself and not for a person."""
    signed_out_path: str | None = None
    """Where a person returns to after sign-out, on loopback (OpenID Connect RP-Initiated Logout §3)."""
    pushes: bool = False
    """Whether its authorization requests are always pushed (RFC 9126)."""

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
            "scope": self.scope,
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": self.alg,
            "dpop_bound_access_tokens": self.dpop,
            "jwks": json.loads(self.jwks_file.read_text()),
            **self._describe_grants(),
        }

    def _describe_grants(self) -> dict[str, Any]:
        if self.redirect_path is None:
            return {"grant_types": ["client_credentials"]}
        members: dict[str, Any] = {
            "grant_types": ["authorization_code", "refresh_token"],
            "application_type": "native",  # allows http on loopback, with any port
            "redirect_uris": [f"http://127.0.0.1{self.redirect_path}"],
            "require_pushed_authorization_requests": self.pushes,
        }
        if self.signed_out_path is not None:
            members["post_logout_redirect_uris"] = [f"http://127.0.0.1{self.signed_out_path}"]
        return members


MOBILE = DemoClient("mobile-client", alg="ES256", scope="mobile", path="/api/values", dpop=False)
MOBILE_DPOP = DemoClient("mobile-dpop-client", alg="PS256", scope="scope-dpop", path="/dpop/values", dpop=True)
MOBILE_CODE = DemoClient(
    "mobile-code-client",
    alg="ES256",
    scope="openid profile email scope-dpop",
    path="/dpop/values",
    dpop=True,
    redirect_path="/callback",
    pushes=True,
)
WEB = DemoClient(
    "web-client",
    alg="ES256",
    scope="openid profile email mobile",
    path="/api/values",
    dpop=False,  # Authlib's client does not support it
    redirect_path="/callback",
    signed_out_path="/signed-out",
)
CLIENTS = {client.client_id: client for client in (MOBILE, MOBILE_DPOP, MOBILE_CODE, WEB)}


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """A person who may sign in. The password is in a public file, so it is for this demo only."""

    name: str
    password: str


ALICE = DemoPerson("alice", "wonderland")
