"""FastAPIProtector: protect the path operations of a FastAPI app by a dependency."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, HTTPException, WebSocketException
from fastapi.requests import HTTPConnection

from ..jose.jose import Claims
from .admission import find_token
from .asgi import ASGIProtector
from .requirement import DPoPUse, Scopes

_POLICY_VIOLATION = 1008


class FastAPIProtector(ASGIProtector):
    """Protects path operations and WebSocket routes of a FastAPI app.

    :param settings: As for :class:`.ASGIProtector`.
    :raises ConfigurationError: A setting is wrong or missing.
    """

    def init_app(self, app: FastAPI) -> None:
        """Add the metadata document (RFC 9728) to *app*. Without this call, protected operations answer 500.

        Middleware that is added afterwards is in front of the document and of refusals: add CORS afterwards.
        """
        app.add_middleware(self.describe)

    def __call__(
        self, scopes: Scopes = None, *, dpop: DPoPUse = "allowed", optional: bool = False, online: bool = False
    ) -> Callable[[HTTPConnection], Awaitable[Claims | None]]:
        """A dependency for an operation, a router or the app, such as ``Depends(require_oauth("read"))``.

        Its value are the claims of the verified token, ``None`` for an anonymous caller of an ``optional`` operation.
        The arguments are those of :meth:`.ResourceProtector.__call__`.

        :raises ConfigurationError: The arguments make no sense; the message says what to write.
        """
        requirement = self._require(scopes, dpop, optional, online)

        async def check_token(connection: HTTPConnection) -> Claims | None:
            refusal = await self._enter_view(connection.scope, requirement)
            if refusal is None:
                return find_token(connection)
            # It only ends the operation: the answer is sent by describe(), whatever the app's handlers make of this.
            if connection.scope["type"] == "websocket":
                raise WebSocketException(_POLICY_VIOLATION)
            raise HTTPException(refusal.status)

        return check_token
