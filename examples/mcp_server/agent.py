"""A program that calls the MCP server as itself, with the client of the official SDK; its key is in agent.pem."""

import asyncio
import os
from pathlib import Path

import httpx2
from mcp.client.auth.extensions.client_credentials import PrivateKeyJWTOAuthProvider, SignedJWTParameters
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken


class InMemory:
    """Keeps the token while the program runs."""

    def __init__(self) -> None:
        self.token: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        """The token, if there is one."""
        return self.token

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keep a token."""
        self.token = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """Nothing: the client is registered already."""

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Nothing to keep."""


async def main() -> None:
    """Connect, list the tools, and call one."""
    url = os.environ["OAUTH2_RESOURCE"]
    signing = SignedJWTParameters(
        issuer="agent", subject="agent", signing_key=Path("agent.pem").read_text(), signing_algorithm="ES256"
    )
    auth = PrivateKeyJWTOAuthProvider(
        server_url=url,
        storage=InMemory(),
        client_id="agent",
        assertion_provider=signing.create_assertion_provider(),
        issuer=os.environ["OAUTH2_ISSUER"],
    )
    async with (
        httpx2.AsyncClient(auth=auth) as http_client,
        Client(streamable_http_client(url, http_client=http_client)) as client,
    ):
        print("tools:", *[tool.name for tool in (await client.list_tools()).tools])
        answer = await client.call_tool("whoami", {})
        print("whoami:", answer.content[0].text)


if __name__ == "__main__":
    asyncio.run(main())
