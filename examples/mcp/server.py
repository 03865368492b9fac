"""An MCP server with one tool, for tokens that name it. The environment names it and its authorization server."""

import os

import jwt
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer

ISSUER = os.environ.get("ISSUER", "http://127.0.0.1:5000")
RESOURCE = os.environ.get("RESOURCE", "http://127.0.0.1:8000/mcp")
PORT = int(os.environ.get("PORT", "8000"))

keys = jwt.PyJWKClient(f"{ISSUER}/oauth2/jwks", cache_jwk_set=True, lifespan=300)


class Tokens(TokenVerifier):
    """Verifies access tokens (RFC 9068)."""

    async def verify_token(self, token: str) -> AccessToken | None:
        """What a token says; ``None``: it is not good here."""
        try:
            if jwt.get_unverified_header(token).get("typ") != "at+jwt":
                return None
            claims = jwt.decode(
                token,
                keys.get_signing_key_from_jwt(token).key,
                algorithms=["ES256"],
                issuer=ISSUER,
                audience=RESOURCE,
                options={"require": ["exp", "sub", "client_id"]},
            )
        except jwt.PyJWTError:
            return None
        if "cnf" in claims:  # bound to a key, whose proof this server cannot check
            return None
        return AccessToken(
            token=token,
            client_id=claims["client_id"],
            scopes=claims["scope"].split(),
            expires_at=claims["exp"],
            resource=RESOURCE,
            subject=claims["sub"],
        )


server = MCPServer(
    "whoami",
    token_verifier=Tokens(),
    auth=AuthSettings(
        issuer_url=ISSUER,
        resource_server_url=RESOURCE,
        required_scopes=["tools"],
        validate_token_resource=True,
    ),
)


@server.tool()
def whoami() -> str:
    """Say who the client acts for."""
    token = get_access_token()
    return f"{token.subject}, by {token.client_id}"


if __name__ == "__main__":
    server.run("streamable-http", host="127.0.0.1", port=PORT)
