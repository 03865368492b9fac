"""A real MCP server of the official SDK behind our authorization server, and clients of the SDK; all on loopback."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import anyio
import httpx2
import jwt
import uvicorn
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

from tests.servers.https_servers import Authority, Server, answer
from tests.servers.ports import free_port
from tests.third_party.conftest import Site
from tests.third_party.person import decide, serving_people

SECONDS = 60
CALLBACK = "http://localhost:3030/callback"


class Tokens:
    """Verifies tokens as the SDK wants it, with PyJWT: none of our code."""

    def __init__(self, issuer: str, resource: str) -> None:
        self._issuer, self._resource = issuer, resource
        self._keys = jwt.PyJWKClient(f"{issuer}/oauth2/jwks")

    async def verify_token(self, token: str) -> AccessToken | None:
        try:
            key = await anyio.to_thread.run_sync(self._keys.get_signing_key_from_jwt, token)
            claims = jwt.decode(token, key.key, algorithms=["ES256"], issuer=self._issuer, audience=self._resource)
        except jwt.PyJWTError:
            return None
        return AccessToken(
            token=token,
            client_id=claims["client_id"],
            scopes=claims["scope"].split(),
            expires_at=claims["exp"],
            resource=self._resource,
            subject=claims["sub"],
        )


def make_mcp_server(issuer: str, resource: str) -> MCPServer:
    """An MCP server with one tool, which says who called it."""
    server = MCPServer(
        "whoami",
        token_verifier=Tokens(issuer, resource),
        auth=AuthSettings(
            issuer_url=issuer, resource_server_url=resource, required_scopes=["tools"], validate_token_resource=True
        ),
    )

    @server.tool()
    def whoami() -> str:
        token = get_access_token()
        assert token is not None
        return json.dumps({"subject": token.subject, "client": token.client_id})

    return server


@dataclass
class McpSite:
    """Our server with an API in Flask, the MCP server, and the server that has the client's document."""

    site: Site
    resource: str
    documents: Server

    @property
    def document_url(self) -> str:
        return f"https://localhost:{self.documents.port}/mcp/client.json"

    def publish(self, **members: Any) -> None:
        """Put a document at :attr:`document_url`."""
        self.documents.pieces = answer(json.dumps({"client_id": self.document_url, **members}).encode())


class Storage:
    """Where the SDK keeps a client's tokens and its registration."""

    def __init__(self) -> None:
        self.tokens: Any = None
        self.client_info: Any = None

    async def get_tokens(self) -> Any:
        return self.tokens

    async def set_tokens(self, tokens: Any) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> Any:
        return self.client_info

    async def set_client_info(self, client_info: Any) -> None:
        self.client_info = client_info


class Person:
    """Opens the URL that a client gives them, and brings the answer back."""

    def __init__(self, site: Site, decision: str = "allow") -> None:
        self._site, self._decision = site, decision
        self.opened: list[str] = []
        self._location = ""

    async def open(self, url: str) -> None:
        self.opened.append(url)
        self._location = await anyio.to_thread.run_sync(decide, self._site, url, self._decision)

    async def come_back(self) -> AuthorizationCodeResult:
        answer = dict(parse_qsl(urlsplit(self._location).query))
        return AuthorizationCodeResult(code=answer.get("code", ""), state=answer.get("state"), iss=answer.get("iss"))


def build_provider(mcp: McpSite, storage: Storage, person: Person, **changes: Any) -> OAuthClientProvider:
    """The SDK's provider for people, as its documentation builds it."""
    document = changes.pop("client_metadata_url", None)
    metadata = {"client_name": "SDK", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none", **changes}
    return OAuthClientProvider(
        server_url=mcp.resource,
        client_metadata=OAuthClientMetadata(**metadata),
        storage=storage,
        redirect_handler=person.open,
        callback_handler=person.come_back,
        client_metadata_url=document,
    )


def call_tool(mcp: McpSite, provider: httpx2.Auth) -> dict[str, str]:
    """Call the tool as an MCP client; who the MCP server thinks it is."""

    async def call() -> dict[str, str]:
        with anyio.fail_after(SECONDS):
            async with (
                create_mcp_http_client(auth=provider) as http,
                Client(streamable_http_client(mcp.resource, http_client=http)) as client,
            ):
                result = await client.call_tool("whoami", {})
        return json.loads(result.content[0].text)  # type: ignore[no-any-return, union-attr]

    return anyio.run(call)


@contextmanager
def _serving_mcp_server(issuer: str, port: int) -> Iterator[None]:
    app = make_mcp_server(issuer, f"http://127.0.0.1:{port}/mcp").streamable_http_app()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + SECONDS
    while not server.started and thread.is_alive() and time.monotonic() < until:
        time.sleep(0.01)
    assert server.started
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(SECONDS)


@contextmanager
def serving_mcp(folder: Any, authority: Authority, **config: Any) -> Iterator[McpSite]:
    """All servers, under the profile. Documents come from ``https://localhost``; no other name is looked up."""
    with ExitStack() as stack:
        documents = Server(authority.server_context("localhost"))
        stack.callback(documents.close)
        port = free_port()
        settings = {
            "OAUTH2_PROFILE": "mcp",
            "OAUTH2_RESOURCES": [f"http://127.0.0.1:{port}/mcp"],
            "OAUTH2_CLIENT_ID_HOSTS": ["localhost"],
            "OAUTH2_JWKS_HOSTS": ["localhost"],
            "OAUTH2_FETCH_FROM_LOOPBACK": True,
            "OAUTH2_FETCH_CA_BUNDLE": authority.bundle,
            "OAUTH2_CLIENT_ID_SCOPES": ["tools", "read"],
            "OAUTH2_REGISTRATION_SCOPES": ["tools", "read"],
        }
        site = stack.enter_context(serving_people(folder, **{**settings, **config}))
        stack.enter_context(_serving_mcp_server(site.issuer, port))
        yield McpSite(site, settings["OAUTH2_RESOURCES"][0], documents)  # type: ignore[index]
