"""A registered client to store, with everything set that can be."""

from dataclasses import replace
from typing import Any

from flask_private_key_jwt.registered_client import RegisteredClient

FULL_CLIENT = RegisteredClient(
    client_id="console",
    version="",
    enabled=True,
    jwks={"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]},
    grant_types=frozenset({"client_credentials", "refresh_token"}),
    scope=frozenset({"read", "write", "admin"}),
    default_scope=("write", "read"),
    token_endpoint_auth_signing_alg="EdDSA",
    dpop_bound_access_tokens=True,
    assertion_audience="compatibility",
    client_name="Kónsole 𝄞",
    owner="team-7",
    metadata={"contacts": ["ops@example.com"], "client_name#ja": "クライアント"},
)


def build_client(client_id: str = "console", **changes: Any) -> RegisteredClient:
    return replace(FULL_CLIENT, client_id=client_id, **changes)


def public_values(client: RegisteredClient) -> dict[str, Any]:
    """Everything but the version, which is new with every change."""
    return {name: getattr(client, name) for name in RegisteredClient.__slots__ if name != "version"}
