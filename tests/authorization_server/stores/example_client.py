"""A registered client to store, with everything set that can be."""

from dataclasses import replace
from typing import Any

from flask_private_key_jwt.authorization_server.registered_client import RegisteredClient

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
    redirect_uris=("https://app.example/callback", "com.example.app:/callback"),
    application_type="native",
    require_pushed_authorization_requests=True,
    require_signed_request_object=True,
    request_object_signing_alg="EdDSA",
    post_logout_redirect_uris=("https://app.example/bye", "http://127.0.0.1/bye"),
    default_max_age=0,
    require_auth_time=True,
    introspection_resources=("https://api.example", "https://as.example"),
    metadata={"contacts": ["ops@example.com"], "client_name#ja": "クライアント"},
)


def build_client(client_id: str = "console", **changes: Any) -> RegisteredClient:
    return replace(FULL_CLIENT, client_id=client_id, **changes)


def public_values(client: RegisteredClient) -> dict[str, Any]:
    """Everything but the version, which is new with every change."""
    return {name: getattr(client, name) for name in RegisteredClient.__slots__ if name != "version"}
