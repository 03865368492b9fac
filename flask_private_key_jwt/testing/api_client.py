"""Calls an API in the process of a test, as its clients do: with a token, and a new proof for each call."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import flask
from werkzeug.test import Client, TestResponse

from ..errors import ConfigurationError
from ..resource_server.bare_protector import BareProtector
from .asgi_bridge import ASGIBridge
from .handover import FlaskGuard, Guarded, ProtectorGuard, handing_over
from .held_token import HeldToken
from .in_process_server import CLIENT_ID, InProcessServer
from .refusals import Refusal, noting_refusals


@dataclass(frozen=True, slots=True)
class SentCall:
    """A call of an API as it was sent, and what came of it."""

    method: str
    """The HTTP method."""
    path: str
    """With its query, if it has one."""
    token: HeldToken
    """The token that it carried."""
    headers: Mapping[str, str] = field(repr=False)
    """All headers, ``Authorization`` and ``DPoP`` too."""
    options: Mapping[str, Any] = field(repr=False)
    """Further arguments of werkzeug's test client, such as ``json``."""
    status: int
    """The status of the answer."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class APIClient:
    """Calls one API. Its answers are those of werkzeug's test client (``status_code``, ``json``, ``headers`` …).

    :param open_api: The test client of the API.
    :param guarded: The API's guard.
    :param server: Where its tokens come from.
    """

    def __init__(self, open_api: Client, guarded: Guarded, server: InProcessServer) -> None:
        self._open = open_api
        self._guarded = guarded
        self.server = server
        """The authorization server."""
        self.resource: str = guarded.guard.settings.RESOURCE
        """The API's identifier, which is in the ``aud`` of its tokens."""
        self.refusals: list[Refusal] = []
        """The private reasons of what it refused during the test, in order, each with its ``cause``."""
        self.last_call: SentCall | None = None
        """The newest call that carried a token, whatever the answer."""
        self._nonce: str | None = None

    @classmethod
    @contextmanager
    def calling(cls, app: Any, server: InProcessServer, *, protector: BareProtector | None = None) -> Iterator[Self]:
        """A client of an API during the block; the API has the keys of *server* meanwhile.

        :param app: A Flask app; with a *protector*, any WSGI or ASGI application.
        :param protector: The application's protector: an ``ASGIProtector``, a ``WSGIProtector`` or one of their kind.
        :raises ConfigurationError: The application protects nothing, or accepts the tokens of another server.
        """
        guarded: Guarded
        guarded = FlaskGuard(_check_flask(app)) if protector is None else ProtectorGuard(protector)
        bridge = ASGIBridge(app) if protector is not None and _is_asgi(protector) else None
        with handing_over(guarded, server), noting_refusals(guarded.sender) as refusals:
            client = cls(app.test_client() if isinstance(app, flask.Flask) else Client(bridge or app), guarded, server)
            client.refusals = refusals
            try:
                yield client
            finally:
                if bridge is not None:
                    bridge.close()

    # --- calls --------------------------------------------------------------------------------------------------
    def open(
        self,
        path: str,
        *,
        method: str = "GET",
        token: HeldToken | None = None,
        client_id: str = CLIENT_ID,
        subject: str | None = None,
        scope: str | None = None,
        dpop: bool | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> TestResponse:
        """Call the API with a token, and with a new proof if the token is bound. A new nonce is used at once.

        :param path: The path, with a query if there is one.
        :param token: The token. ``None``: a new one, as the following arguments say.
        :param client_id: Whose token it is.
        :param subject: The person who allowed it. ``None``: the client acts for itself.
        :param scope: Its scopes, separated by spaces.
        :param dpop: Whether it is bound to a key. ``None``: if the API accepts proofs.
        :param headers: Further headers.
        :param options: Further arguments of werkzeug's test client, such as ``json``.
        """
        if token is None:
            bound = self.takes_proofs if dpop is None else dpop
            token = self.server.token(client_id, subject=subject, scope=scope, resource=self.resource, dpop=bound)
        for _ in range(2):
            sent = {**(headers or {}), **token.build_headers(method, self.url(path), nonce=self._nonce)}
            response = self.send(path, method=method, headers=sent, **options)
            if response.status_code != 401 or "use_dpop_nonce" not in response.headers.get("WWW-Authenticate", ""):
                break
        self.last_call = SentCall(method, path, token, sent, options, response.status_code)
        return response

    def get(self, path: str, **options: Any) -> TestResponse:
        """:meth:`open` with ``GET``."""
        return self.open(path, method="GET", **options)

    def post(self, path: str, **options: Any) -> TestResponse:
        """:meth:`open` with ``POST``."""
        return self.open(path, method="POST", **options)

    def put(self, path: str, **options: Any) -> TestResponse:
        """:meth:`open` with ``PUT``."""
        return self.open(path, method="PUT", **options)

    def patch(self, path: str, **options: Any) -> TestResponse:
        """:meth:`open` with ``PATCH``."""
        return self.open(path, method="PATCH", **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        """:meth:`open` with ``DELETE``."""
        return self.open(path, method="DELETE", **options)

    def send(
        self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, **options: Any
    ) -> TestResponse:
        """Call the API with exactly these headers: without a token, if they have none."""
        response = self._open.open(path, method=method, headers=dict(headers or {}), **options)
        self._nonce = response.headers.get("DPoP-Nonce", self._nonce)
        return response

    # --- what proofs need ---------------------------------------------------------------------------------------
    @property
    def takes_proofs(self) -> bool:
        """Whether the API accepts bound tokens: it remembers used proofs somewhere."""
        return self._guarded.guard.find_replay_store() is not None

    @property
    def sender(self) -> object:
        """The sender of the API's signals: the Flask app, or the protector."""
        return self._guarded.sender

    @property
    def nonce(self) -> str | None:
        """The newest nonce of the API (RFC 9449 §9)."""
        return self._nonce

    def url(self, path: str) -> str:
        """The URL of a path, as a proof names it (RFC 9449 §4.2)."""
        settings = self._guarded.guard.settings
        base = (settings.EXTERNAL_URL or _find_origin(settings.RESOURCE)).rstrip("/")
        return base + path.partition("?")[0]


def _check_flask(app: Any) -> flask.Flask:
    if not isinstance(app, flask.Flask):
        raise ConfigurationError(
            f"The API under test is a {type(app).__name__}, no Flask app: the fixture oauth_protector has to return "
            "its protector."
        )
    return app


def _is_asgi(protector: BareProtector) -> bool:
    from ..resource_server.asgi import ASGIProtector  # not for an API in Flask: it loads what event loops need

    return isinstance(protector, ASGIProtector)


def _find_origin(resource: str) -> str:
    scheme, _, rest = resource.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"
