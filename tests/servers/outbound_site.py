"""An issuer of a company's own network: behind a proxy, with a certificate of the company's own authority."""

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from tests.servers.connect_proxy import ConnectProxy
from tests.servers.https_servers import Authority

HOST = "as.company.example"
ISSUER = f"https://{HOST}"
ROUTE = f"{HOST}:443"


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any, **__: Any) -> None:
        """A refused handshake is nothing to tell."""


class CompanySite:
    """Answers what a test puts into ``answers``, by path; metadata and an empty key set from the start."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.port = 0
        self.answers: dict[str, Any] = {
            "/.well-known/oauth-authorization-server": {
                "issuer": ISSUER,
                "jwks_uri": f"{ISSUER}/jwks",
                **{f"{name}_endpoint": f"{ISSUER}/{name}" for name in ("token", "introspection", "revocation")},
            },
            "/jwks": {"keys": []},
            "/token": {"access_token": "token-1", "token_type": "Bearer", "expires_in": 600},
            "/introspection": {"active": True},
            "/revocation": {},
        }

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        request.get_data()
        self.requests.append(request)
        body = json.dumps(self.answers.get(request.path, {}))
        return Response(body, content_type="application/json")(environ, start_response)

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.requests]


@contextlib.contextmanager
def company_site(authority: Authority, *names: str, expired: bool = False) -> Iterator[CompanySite]:
    """The site, with a certificate for *names* (``as.company.example`` when none is given)."""
    site = CompanySite()
    context = authority.server_context(*(names or (HOST,)), expired=expired)
    server = make_server("127.0.0.1", 0, site, threaded=True, ssl_context=context, request_handler=_Quiet)
    site.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def company_proxy(site: CompanySite, password: str | None = None) -> Iterator[ConnectProxy]:
    """A proxy that knows the way to the *site*."""
    proxy = ConnectProxy(password)
    proxy.routes[ROUTE] = site.port
    try:
        yield proxy
    finally:
        proxy.close()


def make_authority(folder: Path) -> Authority:
    """An authority that nobody else trusts."""
    folder.mkdir()
    return Authority(folder)
