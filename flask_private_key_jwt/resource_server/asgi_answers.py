"""Send an answer of a guard over ASGI, to an HTTP request or to a WebSocket handshake."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

from ..signals.refusal import Answer
from .answer_headers import set_headers

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_POLICY_VIOLATION = 1008
"""The code with which a handshake is refused where the server cannot send an answer; clients see 403."""
_KEPT = ("access-control-", "vary")
"""Beginnings of headers that are kept where an answer replaces another: without them no browser would read it."""


async def send_answer(
    answer: Answer,
    scope: Mapping[str, Any],
    receive: Receive | None,
    send: Send,
    *,
    instead_of: Mapping[str, Any] | None = None,
) -> None:
    """Send *answer*. The body of the request is not read: it may come slowly.

    :param receive: To take the first message of a handshake; ``None`` if the application may have taken it.
    :param instead_of: The message that it replaces.
    """
    body = b"" if answer.body is None else json.dumps(answer.body).encode()
    replaced = () if instead_of is None else _decode(instead_of.get("headers", ()))
    headers = set_headers([header for header in replaced if header[0].lower().startswith(_KEPT)], answer.headers)
    if answer.body is not None:
        headers.append(("Content-Length", str(len(body))))
    kind = "http"
    if scope["type"] == "websocket":
        if receive is not None:
            await receive()  # "websocket.connect"
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": ""})
            return
        kind = "websocket.http"
    await send({"type": f"{kind}.response.start", "status": answer.status, "headers": _encode(headers)})
    await send({"type": f"{kind}.response.body", "body": b"" if scope.get("method") == "HEAD" else body})


def adding_headers(added: Iterable[tuple[str, str]], send: Send) -> Send:
    """A ``send`` that sets further headers where an answer begins, or a handshake is accepted."""

    async def adding(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.accept"):
            headers = set_headers(_decode(message.get("headers", ())), added)
            message = {**message, "headers": _encode(headers)}
        await send(message)

    return adding


def _decode(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def _encode(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
