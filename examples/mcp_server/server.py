"""An MCP server that needs an access token. OAUTH2_ISSUER and OAUTH2_RESOURCE are its settings."""

from typing import Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.mcpserver import Context, MCPServer

from flask_private_key_jwt.resource_server import ASGIProtector, find_token

mcp = MCPServer("protected")
require_oauth = ASGIProtector()


@mcp.tool()
def whoami(ctx: Context) -> str:
    """Say which client calls."""
    token = find_token(ctx.request_context.request)
    assert token is not None
    return f"{token['client_id']} may {token['scope']}"


sessions = mcp.streamable_http_app()


async def with_user(scope: Any, receive: Any, send: Any) -> None:
    """Tell the SDK who calls: it lets nobody else continue a session."""
    if (token := find_token(scope)) is not None:
        scope["user"] = AuthenticatedUser(
            AccessToken(
                token="",  # the SDK needs none, and what is not there cannot leak
                client_id=token["client_id"],
                scopes=token["scope"].split(),
                subject=token["sub"],
                claims=dict(token),
            )
        )
    await sessions(scope, receive, send)


app = require_oauth.protect(with_user, "tools")
