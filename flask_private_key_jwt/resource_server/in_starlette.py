"""StarletteProtector: protect the endpoints of a Starlette app."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.websockets import WebSocket

from ..errors import ConfigurationError
from .asgi import ASGIProtector
from .requirement import DPoPUse, Scopes

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

_POLICY_VIOLATION = 1008


class StarletteProtector(ASGIProtector):
    """Protects the endpoints of a Starlette app; the claims are what :func:`.find_token` finds in the request.

    :param settings: As for :class:`.ASGIProtector`.
    :raises ConfigurationError: A setting is wrong or missing.
    """

    def init_app(self, app: Starlette) -> None:
        """Add the metadata document (RFC 9728) to *app*. Without this call, protected endpoints answer 500.

        Middleware that is added afterwards is in front of the document and of refusals: add CORS afterwards.
        """
        app.add_middleware(self.describe)

    def __call__(
        self, scopes: Scopes = None, *, dpop: DPoPUse = "allowed", optional: bool = False, online: bool = False
    ) -> Callable[[Endpoint], Endpoint]:
        """Protect an endpoint, or a method of an ``HTTPEndpoint``: ``@require_oauth("read")``.

        The arguments are those of :meth:`.ResourceProtector.__call__`.

        :raises ConfigurationError: The arguments make no sense; the message says what to write.
        """
        requirement = self._require(scopes, dpop, optional, online)

        def protect(endpoint: Endpoint) -> Endpoint:
            if isinstance(endpoint, type):
                raise ConfigurationError(f"Put require_oauth(…) above the methods of {endpoint.__name__}.")

            @functools.wraps(endpoint)
            async def protected(*args: Any, **kwargs: Any) -> Any:
                connection = _find_connection(args, kwargs)
                refusal = await self._enter_view(connection.scope, requirement)
                if refusal is None:
                    if inspect.iscoroutinefunction(endpoint):
                        return await endpoint(*args, **kwargs)
                    return await run_in_threadpool(endpoint, *args, **kwargs)
                if isinstance(connection, WebSocket):
                    return await connection.close(_POLICY_VIOLATION)
                return Response(status_code=refusal.status)

            return cast(Endpoint, protected)

        return protect


def _find_connection(args: tuple[Any, ...], kwargs: dict[str, Any]) -> HTTPConnection:
    for argument in (*args, *kwargs.values()):
        if isinstance(argument, HTTPConnection):
            return argument
    raise ConfigurationError("A protected endpoint was called without its request.")
