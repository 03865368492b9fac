"""Send an answer of a guard over ASGI, to an HTTP request or to a WebSocket handshake."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

from ..refusal import Answer

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_POLICY_VIOLATION = 1008
"""The code with which a handshake is refused where the server cannot send an answer; clients see 403."""
_KEPT = (b"access-control-", b"vary")
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
    body = json.dumps(answer.body).encode()
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers]
    headers.append((b"content-length", b"%d" % len(body)))
    if instead_of is not None:
        headers += [header for header in instead_of.get("headers", ()) if header[0].lower().startswith(_KEPT)]
    kind = "http"
    if scope["type"] == "websocket":
        if receive is not None:
            await receive()  # "websocket.connect"
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": ""})
            return
        kind = "websocket.http"
    await send({"type": f"{kind}.response.start", "status": answer.status, "headers": headers})
    await send({"type": f"{kind}.response.body", "body": b"" if scope.get("method") == "HEAD" else body})


def add_headers(added: Iterable[tuple[str, str]], send: Send) -> Send:
    """A ``send`` that sets further headers where an answer begins, or a handshake is accepted."""
    encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in added]
    names = {name for name, _ in encoded}

    async def adding(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.accept"):
            kept = [header for header in message.get("headers", ()) if header[0].lower() not in names]
            message = {**message, "headers": [*kept, *encoded]}
        await send(message)

    return adding
