"""ASGIProtector: a guard in front of any ASGI application, for HTTP requests and WebSocket handshakes.

The protectors of the frameworks (``in_starlette.py``, ``in_fastapi.py``, ``in_quart.py``) guard single views. A view is
reached through what an application does with its answers, such as error pages for people. So they only note what came
of a request, in an :class:`Exchange` of its scope, and :meth:`ASGIProtector.describe`, in front of the application,
sees to it that exactly this is sent.
"""

from collections.abc import Awaitable, Callable
from typing import cast

from ..errors import ConfigurationError
from ..replay.async_loading import load_async_replay_store
from ..replay.base import AsyncReplayStore
from ..signals.refusal import Answer
from .asgi_answers import Message, Receive, Scope, Send, adding_headers, send_answer
from .bare_protector import BareProtector, GivenSettings
from .call import Call, read_scope
from .on_loop import OnTheLoop
from .requirement import DPoPUse, Requirement, Scopes

ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_HANDLED = ("http", "websocket")
_STARTS = ("http.response.start", "websocket.accept", "websocket.close", "websocket.http.response.start")
"""Messages that begin an answer."""


class Exchange:
    """What came of a request in a protected view."""

    def __init__(self) -> None:
        self.refusal: Answer | None = None
        self.headers: tuple[tuple[str, str], ...] = ()
        self.has_begun = False
        """Whether an answer has begun."""
        self.is_refused = False
        """Whether it is the refusal."""


class ASGIProtector(BareProtector):
    """Protects ASGI applications with access tokens, under asyncio; nothing blocks the event loop.

    The claims of a token are what :func:`.find_token` finds in the scope.

    :param settings: ``None``: the ``OAUTH2_…`` variables of the environment, such as ``OAUTH2_ISSUER``. A mapping of
        such names to their values, which may also have ``SECRET_KEY``. Or the ``settings`` of another protector.
    :raises ConfigurationError: A setting is wrong or missing.
    """

    def __init__(self, settings: GivenSettings = None) -> None:
        super().__init__(settings, load_store=load_async_replay_store, waiting=OnTheLoop())
        self._exchange_key = f"flask_private_key_jwt.exchange.{id(self)}"

    def protect(
        self,
        app: ASGIApp,
        scopes: Scopes = None,
        *,
        dpop: DPoPUse = "allowed",
        optional: bool = False,
        online: bool = False,
    ) -> ASGIApp:
        """*app*, reached only with an access token: every HTTP request and every WebSocket handshake needs one. The
        metadata document is in front of it, for everybody.

        Also a middleware of Starlette and FastAPI: ``Middleware(require_oauth.protect, "read")``. The other arguments
        are those of :meth:`.ResourceProtector.__call__`.

        :raises ConfigurationError: The arguments make no sense; the message says what to write.
        """
        requirement = self._require(scopes, dpop, optional, online)

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "lifespan":
                await app(scope, receive, send)
                return
            call = _read(scope)
            answer = await self._answer_openly(scope, call)
            if answer is None:
                entry = await self._enter(call, requirement, scope)
                answer, headers = entry.refusal, entry.headers
            if answer is not None:
                await send_answer(answer, scope, receive, send)
                return
            await app(scope, receive, adding_headers(headers, send) if headers else send)

        return guarded

    def describe(self, app: ASGIApp) -> ASGIApp:
        """*app* with the metadata document in front of it; for an application that protects only parts of itself.

        Preflights of ``OAUTH2_CORS_ORIGINS`` are answered here too, for every path.
        """

        async def described(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] not in _HANDLED:
                await app(scope, receive, send)
                return
            if (answer := await self._answer_openly(scope, read_scope(scope))) is not None:
                await send_answer(answer, scope, receive, send)
                return
            exchange = scope[self._exchange_key] = Exchange()

            async def complete(message: Message) -> None:
                kind = message["type"]
                if exchange.refusal is None:
                    exchange.has_begun = exchange.has_begun or kind in _STARTS
                    await (adding_headers(exchange.headers, send) if exchange.headers else send)(message)
                elif kind in _STARTS and not exchange.has_begun:
                    exchange.has_begun = exchange.is_refused = True
                    await send_answer(exchange.refusal, scope, None, send, instead_of=message)
                elif kind == "websocket.close" and not exchange.is_refused:
                    await send(message)
                # All else is left out: it belongs to an answer that was replaced, or that began before the refusal.

            await app(scope, receive, complete)

        return described

    async def purge(self) -> int:
        """Delete what the replay store remembers of proofs that expired an hour ago, and return how many; safe at any
        time. Call it daily, unless the store is Redis.

        :raises StoreUnavailable: The store did not answer.
        """
        store = self._guard.stored_replay
        return 0 if store is None else await cast(AsyncReplayStore, store).purge()

    async def _enter_view(self, scope: Scope, requirement: Requirement) -> Answer | None:
        """Let the request of a view in and return ``None``, or refuse it and return the answer, which will be sent.

        :raises ConfigurationError: The application is not described by this protector.
        """
        exchange = scope.get(self._exchange_key)
        if not isinstance(exchange, Exchange):
            raise ConfigurationError(f"A view is protected, but {type(self).__name__}.init_app(app) was not called.")
        entry = await self._enter(_read(scope), requirement, scope)
        exchange.refusal = entry.refusal
        exchange.headers = entry.headers or exchange.headers
        return entry.refusal

    async def _answer_openly(self, scope: Scope, call: Call) -> Answer | None:
        """The answer to what needs no token: a document, or a preflight of a listed origin."""
        if scope["type"] != "http":
            return None
        return await self._answer_document(call) or self._answer_preflight(call)


def _read(scope: Scope) -> Call:
    """Read a scope; a kind of connection that nobody has thought of is never let in.

    :raises ConfigurationError: It is neither an HTTP request nor a WebSocket handshake.
    """
    if scope["type"] not in _HANDLED:
        raise ConfigurationError(f"An ASGI scope of the type {scope['type']!r} cannot be guarded.")
    return read_scope(scope)
