"""An MCP client: ``python client.py [URL OF THE MCP SERVER]``. It asks a person for access in the system's browser."""

import asyncio
import os
import sys
import webbrowser
from urllib.parse import parse_qsl, urlsplit

from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

URL = "http://127.0.0.1:8000/mcp"
DOCUMENT = os.environ.get("CLIENT_ID")  # the https URL of a document about this client; without it, it registers


class Storage:
    """Keeps the tokens and the registration while the program runs; another program would keep them in a safe place."""

    tokens = client_info = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client_info

    async def set_client_info(self, client_info):
        self.client_info = client_info


class Callback:
    """Waits on loopback for the browser to come back, at a port that the system chooses."""

    async def start(self):
        self.answer = asyncio.get_running_loop().create_future()
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        port = self.server.sockets[0].getsockname()[1]
        self.redirect_uri = f"http://127.0.0.1:{port}/callback"

    async def serve(self, reader, writer):
        target = (await reader.readline()).split(b" ")[1].decode()
        writer.write(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\nYou can close this window.\n"
        )
        await writer.drain()
        writer.close()
        if urlsplit(target).path == "/callback" and not self.answer.done():
            self.answer.set_result(dict(parse_qsl(urlsplit(target).query)))

    async def wait(self):
        answer = await self.answer
        if "code" not in answer:
            raise SystemExit(f"The authorization server says: {answer.get('error')}")
        return AuthorizationCodeResult(code=answer["code"], state=answer.get("state"), iss=answer.get("iss"))


async def open_browser(url):
    print(f"Opening {url}", file=sys.stderr)
    await asyncio.to_thread(webbrowser.open, url)


async def main(url):
    callback = Callback()
    await callback.start()
    auth = OAuthClientProvider(
        server_url=url,
        client_metadata=OAuthClientMetadata(
            client_name="Example MCP Client",
            redirect_uris=[callback.redirect_uri],
            token_endpoint_auth_method="none",
        ),
        storage=Storage(),
        redirect_handler=open_browser,
        callback_handler=callback.wait,
        client_metadata_url=DOCUMENT,
    )
    async with (
        create_mcp_http_client(auth=auth) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        result = await client.call_tool("whoami", {})
        print(result.content[0].text)
    callback.server.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:] or [URL]))
